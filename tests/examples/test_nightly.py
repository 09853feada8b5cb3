"""The nightly workflow downloads, counts and reports; its steps are the same functions alone."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "nightly.py"

TREE = {
    "good/__init__.py": "def one():\n    return 1\n",
    "good/inner.py": "class A:\n    def two(self):\n        return 2\n",
    "odd/__init__.py": "x = 1\n",
    "odd/wrong.py": "def broken(:\n",
    "no_package/alone.py": "x = 1\n",
}


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(EXAMPLE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TREE[name])
    return root


def test_it_counts_what_it_has_downloaded_and_tells_of_files_that_do_not_parse(
    tmp_path: Path,
) -> None:
    database = tmp_path / "nightly.db"
    ended = run(tree(tmp_path / "lib", *TREE), database)
    assert (ended.stderr, ended.returncode) == ("", 0)
    lines = ended.stdout.splitlines()
    assert [line.split()[0] for line in lines[:6]] == [
        *("packages", "archives", "figures"),
        *sorted(("broken", "stored"), key=ended.stdout.index),
        "report",
    ]
    assert "good                  2        5          2" in lines
    assert lines[-2:] == ["2 packages, 7 lines", "files that do not parse: odd/wrong.py"]
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT package, files FROM packages ORDER BY package").fetchall()
    assert rows == [("good", 2), ("odd", 2)]


def test_a_step_whose_condition_does_not_hold_is_left_out(tmp_path: Path) -> None:
    ended = run(tree(tmp_path, "good/__init__.py"))
    assert (ended.stderr, ended.returncode) == ("", 0)
    assert "broken" not in ended.stdout
    assert "files that do not parse: none" in ended.stdout
