"""What mypy and pyright say of programs.

A program tells in comments what has to be said of its lines::

    length(1)  # error
    reveal_type(length)  # reveals: (word: str) -> int

Of other lines, nothing has to be said.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Said", "expected_of", "mypy", "pyright"]

ROOT = Path(__file__).parents[2]
MINUTES = 5


@dataclass(frozen=True, slots=True)
class Said:
    """Something that is said of a line: an error, or the type that it reveals."""

    line: int
    revealed: str | None = None

    def __str__(self) -> str:
        return f"{self.line}: {self.revealed or 'error'}"


def expected_of(program: Path) -> list[Said]:
    """What the program says has to be said."""
    said = []
    for number, line in enumerate(program.read_text(encoding="utf-8").splitlines(), 1):
        if found := re.search(r"# (?:error|reveals: (.+))$", line):
            said.append(Said(number, found[1]))
    return said


def mypy(programs: Sequence[Path]) -> dict[Path, list[Said]]:
    """What mypy says, as strict as it can be, by program."""
    cache = ROOT / ".mypy_cache" / "programs"
    output = _told(
        "mypy", "--strict", "--config-file=", "--python-version=3.11", "--output=json",
        "--follow-imports=silent", f"--cache-dir={cache}", *map(str, programs),
    )  # fmt: skip
    told = map(json.loads, output.splitlines())
    return _by_program(
        programs,
        ((t["file"], t["line"], t["message"], t["severity"] == "error") for t in told),
    )


def pyright(programs: Sequence[Path]) -> dict[Path, list[Said]]:
    """What pyright says, by program. Of a folder it says what it finds in its files."""
    output = _told(
        "pyright", "--outputjson", "--pythonversion=3.11", "--pythonpath", sys.executable,
        *map(str, programs),
    )  # fmt: skip
    told = json.loads(output)["generalDiagnostics"]
    return _by_program(
        programs,
        (
            (t["file"], t["range"]["start"]["line"] + 1, t["message"], t["severity"] == "error")
            for t in told
        ),
    )


def _told(module: str, *arguments: str) -> str:
    # Coverage would measure the checkers, and a newer pyright is nothing to warn of.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    environment |= {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1", "MYPYPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=environment,
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60 * MINUTES,
    )
    if ended.returncode not in (0, 1):  # 1 is what it should be: there are errors
        raise AssertionError(f"{module} failed: {ended.stderr or ended.stdout}")
    return ended.stdout


def _by_program(
    programs: Iterable[Path], told: Iterable[tuple[str, int, str, bool]]
) -> dict[Path, list[Said]]:
    said: dict[Path, set[Said]] = {program: set() for program in programs}
    for file, line, message, is_error in told:
        revealed = _revealed(message)
        if is_error or revealed is not None:
            said.setdefault(ROOT / file, set()).add(Said(line, revealed))
    return {p: sorted(found, key=lambda told: told.line) for p, found in said.items()}


def _revealed(message: str) -> str | None:
    """The type in words that both checkers share: without modules and values of defaults."""
    found = re.search(r'(?:Revealed type is|Type of ".*" is) "(?:def )?(.*)"$', message)
    if found is None:
        return None
    text = re.sub(r"(?:\w+\.)+(?=\w)|(?<=Coroutine)Type", "", found[1])
    text = re.sub(r" =[^,)]*", " = ...", text)
    return f"{text} -> None" if text.endswith(")") else text
