"""What the commands print, and with what status they end."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from minigun_py.cli.commands import commands

GOOD = """
    from minigun_py import Pipeline

    def squares(count: int = 3, fail_at: int | None = None, on_error: str = "fail") -> Pipeline:
        pipe = Pipeline("squares", on_error=on_error)
        pipe.source(range(count), name="numbers")
        @pipe.processor(execution="thread")
        def square(n):
            if n == fail_at:
                raise ValueError(f"no square of {n}")
            return n * n
        @pipe.consumer
        def show(n):
            print("square", n)
        return pipe
"""


def invoke(*arguments: Any) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(commands, [str(argument) for argument in arguments])


def test_a_run_that_ends_well_prints_its_report_and_ends_with_0(write: Callable[..., str]) -> None:
    result = invoke("run", write(GOOD), "-p", "count=4")
    assert result.exit_code == 0
    assert "square 9\n" in result.stdout
    assert "squares: ended well after" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("execution", ["inline", "thread", "fork"])
def test_every_kind_of_execution_can_be_asked_for(
    write: Callable[..., str], execution: str
) -> None:
    assert invoke("run", write(GOOD), "--execution", execution).exit_code == 0


def test_quiet_leaves_what_the_stages_print(write: Callable[..., str]) -> None:
    result = invoke("run", write(GOOD), "--quiet")
    assert (result.exit_code, result.output) == (0, "square 0\nsquare 1\nsquare 4\n")


def test_options_of_stages_reach_the_run(write: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    result = invoke("run", write(GOOD), "-o", "square.workers=3", "--report", file)
    assert result.exit_code == 0
    report = json.loads(file.read_text("utf-8"))
    assert report["ok"] is True
    assert report["stages"]["square"]["workers"] == 3


@pytest.mark.parametrize("flags", [[], ["--quiet"]])
def test_a_run_that_fails_tells_what_failed_and_ends_with_1(
    write: Callable[..., str], flags: list[str]
) -> None:
    result = invoke("run", write(GOOD), "-p", "fail_at=2", *flags)
    assert result.exit_code == 1
    assert "stage 'square' failed on item 2:" in result.stderr
    assert "raise ValueError(" in result.stderr  # the line of the traceback
    assert "ValueError: no square of 2" in result.stderr
    assert "squares: failed after" in result.stdout


def test_a_run_with_a_checkpoint_is_resumed_unless_it_is_to_begin_anew(
    write: Callable[..., str], tmp_path: Path
) -> None:
    target, checkpoint = write(GOOD), ("--checkpoint", tmp_path / "job.db")
    first = invoke("run", target, *checkpoint, "-p", "fail_at=1", "-p", "on_error=skip")
    assert first.stdout.startswith("square 0\nsquare 4\n")
    again = invoke("run", target, *checkpoint)
    assert again.stdout.startswith("square 1\n\nsquares: ended well")
    assert "2 items were finished before" in again.stdout
    anew = invoke("run", target, *checkpoint, "--fresh")
    assert anew.stdout.startswith("square 0\nsquare 1\nsquare 4\n")


def test_the_report_of_a_run_that_fails_is_written_too(
    write: Callable[..., str], tmp_path: Path
) -> None:
    file = tmp_path / "report.json"
    assert invoke("run", write(GOOD), "-p", "fail_at=2", "--report", file).exit_code == 1
    [failure] = json.loads(file.read_text("utf-8"))["failures"]
    assert (failure["stage"], failure["item"]) == ("square", "2")


def test_items_that_were_skipped_are_listed_and_the_run_ends_well(
    write: Callable[..., str],
) -> None:
    result = invoke("run", write(GOOD), "-p", "fail_at=2", "-p", "on_error=skip")
    assert result.exit_code == 0
    assert "stage 'square' skipped item 2: ValueError: no square of 2" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["-p", "cuont=4"], "there is no such parameter; did you mean 'count'"),
        (["-p", "count=many"], "expected a whole number"),
        (["-o", "sqare.workers=2"], "no stage 'sqare'; did you mean 'square'"),
        (["-o", "square.wokers=2"], "no option 'wokers'; did you mean 'workers'"),
        (["--execution", "threat"], "no kind of execution 'threat'; did you mean 'thread'"),
        (["--execution", "ray"], "'ray' is not available in this version"),
        (["--report", "no/such/folder/report.json"], "cannot be written"),
        (["--hud"], "the option --hud is not available in this version"),
        (["--fresh"], "--fresh says what to do with a --checkpoint, and there is none"),
        (["--checkpoint", __file__], "is no checkpoint, or it is damaged; it was left as it is"),
        (["--progess"], "No such option"),
    ],
)
def test_wrong_use_of_run_is_explained_and_ends_with_2(
    write: Callable[..., str], arguments: list[str], complaint: str
) -> None:
    result = invoke("run", write(GOOD), *arguments)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("command", ["graph", "top", "lifecycle"])
def test_commands_of_later_versions_are_refused_by_name(command: str) -> None:
    result = invoke(command, "anything")
    assert result.exit_code == 2
    assert f"the command '{command}' is not available in this version" in result.stderr


def test_a_target_that_is_not_there_ends_with_2() -> None:
    result = invoke("run", "no_such_module")
    assert result.exit_code == 2
    assert "there is no file and no module 'no_such_module'" in result.stderr


def test_an_interrupt_while_the_target_is_loaded_ends_with_130(write: Callable[..., str]) -> None:
    assert invoke("plan", write("raise KeyboardInterrupt\n")).exit_code == 130


def test_plan_explains_and_runs_nothing(write: Callable[..., str]) -> None:
    result = invoke("plan", write(GOOD))
    assert result.exit_code == 0
    assert "square: turns each item into others" in result.stdout
    assert "square 0" not in result.stdout


def test_plan_draws_a_chart(write: Callable[..., str]) -> None:
    result = invoke("plan", write(GOOD), "--mermaid", "-p", "count=1")
    assert result.exit_code == 0
    assert result.stdout.startswith("flowchart LR\n")


def test_plan_takes_the_kind_that_a_run_would_take(write: Callable[..., str]) -> None:
    planned = invoke("plan", write(GOOD), "--execution", "fork")
    assert "process of its own" in planned.stdout


def test_the_version_is_that_of_the_package() -> None:
    result = invoke("--version")
    assert result.exit_code == 0
    assert result.stdout == f"minigun {importlib.metadata.version('minigun-py')}\n"
