"""Every example in README, docs and docstrings runs, and prints what stands beside it.

In a page, the ``python`` blocks share one namespace, as a reader would type them one after the
other. A ``text`` block right after one is its output; ``...`` stands for what differs from run to
run. Lines of a ``sh`` block that begin with ``minigun`` are run as well.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import pkgutil
import re
import shlex
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

import minigun_py

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s:]*)(?:#([\w-]+))?\)")


@dataclass(frozen=True)
class Block:
    """A fenced block, and the text block that follows it with nothing between."""

    language: str
    code: str
    line: int
    output: str | None


def blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    found = list(BLOCK.finditer(text))
    for block, following in zip_longest(found, found[1:]):
        output = None
        if (
            following
            and following[1] == "text"
            and not text[block.end() : following.start()].strip()
        ):
            output = following[2]
        yield Block(block[1], block[2], text.count("\n", 0, block.start(2)), output)


def assert_printed(expected: str, printed: str) -> None:
    lines = [line.rstrip() for line in printed.strip().splitlines()]
    same = doctest.OutputChecker().check_output(
        expected.strip() + "\n", "\n".join(lines) + "\n", doctest.ELLIPSIS
    )
    assert same, f"expected\n{expected}\nbut it printed\n{printed}"


each_page = pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])


@each_page
def test_the_python_blocks_of_a_page_run_and_print_what_follows_them(page: Path) -> None:
    names: dict[str, Any] = {"__name__": page.stem}
    for block in blocks_of(page):
        if block.language != "python":
            continue
        # Empty lines before the code, so that a traceback shows the line of the page.
        code = compile("\n" * block.line + block.code, str(page), "exec")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, names)
        if block.output is not None:
            assert_printed(block.output, printed.getvalue())


def shell_lines() -> Iterator[Any]:
    for page in PAGES:
        for block in blocks_of(page):
            commands = [c for c in block.code.splitlines() if c.startswith("minigun ")]
            for command in commands if block.language == "sh" else ():
                output = block.output if len(commands) == 1 else None
                yield pytest.param(command, output, id=f"{page.name}: {command}")


@pytest.mark.parametrize(("command", "output"), [*shell_lines()])
def test_the_commands_of_a_page_work(command: str, output: str | None) -> None:
    words = shlex.split(command, comments=True)[1:]
    program = [sys.executable, "-c", "from minigun_py.cli.main import main; main()", *words]
    ended = subprocess.run(
        program, check=False, cwd=ROOT, capture_output=True, text=True, timeout=50
    )
    assert ended.returncode == 0, ended.stderr
    if output is not None:
        assert_printed(output, ended.stdout)


@each_page
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for place, heading in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / place if place else page
        assert target.exists(), f"{page.name} links to {place}"
        if heading:
            assert heading in anchors_of(target), f"{page.name} links to {place}#{heading}"


def anchors_of(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def docstring_examples() -> Iterator[Any]:
    names = [found.name for found in pkgutil.walk_packages(minigun_py.__path__, "minigun_py.")]
    for name in ["minigun_py", *names]:
        for example in doctest.DocTestFinder(exclude_empty=True).find(
            importlib.import_module(name)
        ):
            if example.examples:
                yield pytest.param(example, id=example.name)


@pytest.mark.parametrize("example", [*docstring_examples()])
def test_the_example_of_a_docstring_works(example: doctest.DocTest) -> None:
    told = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runner = doctest.DocTestRunner(verbose=False)
        failed, tried = runner.run(example, out=told.write, clear_globs=False)
    assert tried
    assert not failed, told.getvalue()
