"""Each short example says its idea in its first line, and prints what its last comment says."""

from __future__ import annotations

import ast
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SHORT = sorted(path for path in EXAMPLES.glob("*.py") if path.name != "census.py")

each_example = pytest.mark.parametrize("example", SHORT, ids=[path.name for path in SHORT])


@each_example
def test_an_example_prints_what_its_last_comment_says(example: Path) -> None:
    ended = subprocess.run(
        [sys.executable, str(example)], check=False, capture_output=True, text=True, timeout=50
    )
    assert (ended.stderr, ended.returncode) == ("", 0)
    assert ended.stdout == expected_output(example)


@each_example
def test_an_example_says_its_one_idea_in_its_first_line(example: Path) -> None:
    idea = ast.get_docstring(ast.parse(example.read_text(encoding="utf-8")))
    assert idea
    assert "\n" not in idea


def expected_output(example: Path) -> str:
    lines = example.read_text(encoding="utf-8").splitlines()
    comment = list(takewhile(lambda line: line.startswith("#"), reversed(lines)))
    assert comment, "an example ends with a comment that holds its output"
    return "".join(f"{line.removeprefix('#').removeprefix(' ')}\n" for line in reversed(comment))
