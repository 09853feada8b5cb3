"""A failed item is saved with its stage, and the stage is run on it again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from minigun_py.cli.commands import commands

JOB = """
    from minigun_py import Pipeline, To

    class Text:
        def __init__(self, text):
            self.text = text
        def __repr__(self):
            return f"Text({self.text!r})"

    pipe = Pipeline("numbers", on_error="skip")
    pipe.source([Text("1"), Text("two"), Text("3")], to="number")

    @pipe.processor(execution="KIND", setup=lambda: 10, routes=["odd"], to="keep")
    def number(text, state):
        made = int(text.text) * state
        yield made
        yield To("odd", made + 1)

    @pipe.consumer(to=[])
    def keep(n): ...

    @pipe.consumer
    def odd(n): ...
"""


ENTRY = "from minigun_py.cli.main import main; main()"


def invoke(*arguments: Any) -> Result:
    return CliRunner().invoke(commands, [str(argument) for argument in arguments])


@pytest.fixture(params=["inline", "thread", "fork", "process"])
def job(request: pytest.FixtureRequest, write: Callable[..., str]) -> str:
    return write(JOB.replace("KIND", request.param))


@pytest.fixture
def capsule(job: str, tmp_path: Path) -> Path:
    """The one that a run of the job has saved."""
    assert invoke("run", job, "--quiet", "--capsules", tmp_path / "capsules").exit_code == 0
    (file,) = (tmp_path / "capsules").iterdir()
    return file


def test_a_stage_that_fails_again_says_where_and_ends_with_1(job: str, capsule: Path) -> None:
    result = invoke("replay", capsule)
    assert result.exit_code == 1
    assert result.stdout == "number on Text('two')\n"
    assert "jobs.py" in result.stderr
    assert "ValueError: invalid literal for int() with base 10: 'two'" in result.stderr


def test_a_stage_that_was_mended_is_tried_as_it_is_now(
    job: str, capsule: Path, write: Callable[..., str]
) -> None:
    mended = write(
        JOB.replace("KIND", "fork").replace("int(text.text)", "len(text.text)"), "new.py"
    )
    sys.modules.pop("jobs", None)  # as in a process of its own
    result = invoke("replay", capsule, mended)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "number on Text('two')", "emits 30 to keep", "emits 31 to odd", "it did not fail this time",
    ]  # fmt: skip


def test_it_stops_in_the_debugger_where_it_fails(capsule: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", ENTRY, "replay", str(capsule), "--pdb"],
        input="p text.text * 2\nq\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert "-> made = int(text.text) * state" in result.stdout
    assert "'twotwo'" in result.stdout


def test_a_pipeline_without_the_stage_is_refused(capsule: Path, write: Callable[..., str]) -> None:
    other = write(
        JOB.replace("KIND", "fork")
        .replace("def number", "def numbre")
        .replace('to="number"', 'to="numbre"'),
        "o.py",
    )
    result = invoke("replay", capsule, other)
    assert result.exit_code == 2
    assert "has no stage 'number'; did you mean 'numbre'?" in result.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no capsule of this version"),
        (b"minigun capsule 9\n{}\n", "no capsule of this version"),
        (b"minigun capsule 1\n{", "cannot be read"),
        (b'minigun capsule 1\n{"stage": "a"}\n', "cannot be read"),
        (b'minigun capsule 1\n{"stage": "a"}\n\x80\x05nonsense', "cannot be read"),
    ],
)
def test_a_file_that_is_no_capsule_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "a.capsule"
    file.write_bytes(content)
    result = invoke("replay", file)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    result = invoke("replay", tmp_path / "nowhere")
    assert result.exit_code == 2
    assert "cannot be read" in result.stderr
