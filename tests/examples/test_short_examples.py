"""Each short example says its idea in its first line, and prints what its last comment says."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest

LONG = ("census.py", "nightly.py")
EXAMPLES = Path(__file__).parents[2] / "examples"
SHORT = sorted(path for path in EXAMPLES.glob("*.py") if path.name not in LONG)

IDEAS = """
    quick_start diamond fan_out multiple_producers nested inheritance
    dynamic_routing partition deduplicate timed_batch log_statistics web_crawl
    multi_hop database_hooks mailing skip_bad_items killed_worker stop_early
    parallel_map testing_inline builds
"""

each_example = pytest.mark.parametrize("example", SHORT, ids=[path.name for path in SHORT])


def test_there_is_an_example_for_every_idea() -> None:
    assert {example.stem for example in SHORT} == set(IDEAS.split())


@each_example
def test_an_example_prints_what_its_last_comment_says(example: Path) -> None:
    ended = run(str(example))
    assert (ended.stderr, ended.returncode) == ("", 0)
    assert ended.stdout == expected_output(example)


@each_example
def test_an_example_says_its_one_idea_in_its_first_line(example: Path) -> None:
    first = ast.parse(example.read_text(encoding="utf-8")).body[0]
    assert isinstance(first, ast.Expr)
    assert isinstance(first.value, ast.Constant)
    idea = first.value.value
    assert isinstance(idea, str)
    assert (first.lineno, first.end_lineno) == (1, 1)
    assert idea[0].isupper() or idea.startswith("pmap")
    assert idea.endswith(".")


@each_example
def test_an_example_that_is_imported_does_nothing(
    example: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location(f"imported_{example.stem}", example)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert capsys.readouterr() == ("", "")


def test_the_tests_of_the_tested_example_pass() -> None:
    example = EXAMPLES / "testing_inline.py"
    ended = run("-m", "pytest", "-q", "-p", "no:cacheprovider", str(example))
    tests = example.read_text(encoding="utf-8").count("\ndef test_")
    assert ended.returncode == 0, ended.stdout
    assert f"{tests} passed" in ended.stdout


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=50)


def expected_output(example: Path) -> str:
    lines = example.read_text(encoding="utf-8").splitlines()
    comment = list(takewhile(lambda line: line.startswith("#"), reversed(lines)))
    assert comment, "an example ends with a comment that holds its output"
    return "".join(f"{line.removeprefix('#').removeprefix(' ')}\n" for line in reversed(comment))
