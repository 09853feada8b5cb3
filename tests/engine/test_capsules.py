"""What fails is saved in files for nobody else to read, whatever it is and wherever it failed."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minigun_py import Pipeline, PipelineFailed, Retry, UsageError
from minigun_py.engine import capsules
from minigun_py.engine.capsules import Capsule, read_capsule


def failing(item: Any) -> None:
    raise ValueError(f"not {item}")


def saved(directory: Path, *items: Any, **options: Any) -> list[Capsule]:
    """What a run saves whose stage fails on every item."""
    pipe = Pipeline("job/one")
    pipe.source(items)
    pipe.processor(failing, **{"on_error": "skip"} | options)
    pipe.run(capsules=directory)
    return [read_capsule(file) for file in sorted(directory.iterdir())]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_capsule_tells_what_failed_and_why(tmp_path: Path) -> None:
    (capsule,) = saved(tmp_path / "c", 7)
    told = capsule.told
    assert (told["pipeline"], told["stage"], told["attempts"]) == ("job/one", "failing", 1)
    assert (told["item"], told["error"]) == ("7", "ValueError: not 7")
    assert "in failing" in told["traceback"]
    assert {*told["versions"]} == {"minigun_py", "python", "platform"}
    assert (capsule.stage, capsule.item()) == ("failing", 7)


def test_people_can_read_what_it_tells(tmp_path: Path) -> None:
    saved(tmp_path / "c", 7)
    (file,) = (tmp_path / "c").iterdir()
    head, told, *_ = file.read_bytes().split(b"\n")
    assert head == b"minigun capsule 1"
    assert json.loads(told)["stage"] == "failing"


def test_it_is_for_nobody_else_to_read(tmp_path: Path) -> None:
    saved(tmp_path / "c" / "d", 7)
    assert mode(tmp_path / "c" / "d") == 0o700
    assert [mode(file) for file in (tmp_path / "c" / "d").iterdir()] == [0o600]


def test_its_name_is_plain_whatever_the_stage_is_called(tmp_path: Path) -> None:
    saved(tmp_path / "c", 1, 2, name="a b")
    names = sorted(file.name for file in (tmp_path / "c").iterdir())
    assert names == [f"job_one-a_b-{os.getpid()}-000{n}.capsule" for n in (1, 2)]


def test_its_stage_fails_again(tmp_path: Path) -> None:
    (capsule,) = saved(tmp_path / "c", 7, execution="fork")
    worker = capsule.kernel().bind()
    worker.open()
    worker.run([capsule.item()])
    (failure,) = worker.harvest(1).failures
    worker.close()
    assert str(failure.error) == "not 7"


@pytest.mark.parametrize("execution", ["inline", "thread", "fork", "cow_fork", "process"])
@pytest.mark.parametrize("on_error", ["skip", "dead_letter"])
def test_it_is_saved_wherever_it_failed(tmp_path: Path, execution: str, on_error: str) -> None:
    found = saved(tmp_path / "c", 7, 8, execution=execution, on_error=on_error)
    assert sorted(capsule.item() for capsule in found) == [7, 8]


def test_a_failure_that_ends_the_run_is_saved_too(tmp_path: Path) -> None:
    with pytest.raises(PipelineFailed):
        saved(tmp_path / "c", 7, on_error="fail")
    assert len([*(tmp_path / "c").iterdir()]) == 1


def test_only_the_last_attempt_is_saved(tmp_path: Path) -> None:
    (capsule,) = saved(tmp_path / "c", 7, retry=Retry(3, backoff=0))
    assert capsule.told["attempts"] == 3


def test_what_cannot_be_pickled_is_told_of(tmp_path: Path) -> None:
    (capsule,) = saved(tmp_path / "c", threading.Lock())
    assert "lock" in capsule.told["item"]
    with pytest.raises(UsageError, match="the item is not in the capsule"):
        capsule.item()


def test_a_stage_that_cannot_be_pickled_leaves_the_item(tmp_path: Path) -> None:
    lock = threading.Lock()

    def locked(item: int) -> None:
        with lock:
            raise ValueError(item)

    pipe = Pipeline("locked")
    pipe.source([7])
    pipe.processor(locked, on_error="skip", execution="thread")
    pipe.run(capsules=tmp_path / "c")
    (file,) = (tmp_path / "c").iterdir()
    assert read_capsule(file).item() == 7
    with pytest.raises(UsageError, match="the stage is not in the capsule"):
        read_capsule(file).kernel()


def test_an_error_of_a_producer_is_of_no_item(tmp_path: Path) -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    pipe = Pipeline("broken")
    pipe.producer(broken)
    with pytest.raises(PipelineFailed):
        pipe.run(capsules=tmp_path / "c")
    assert [*(tmp_path / "c").iterdir()] == []


def test_a_run_saves_only_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capsules, "MOST", 3)
    assert len(saved(tmp_path / "c", *range(9))) == 3


def test_a_directory_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    pipe = Pipeline("full")
    pipe.source(range(3))

    @pipe.processor(on_error="skip")
    def fails(item: int) -> None:
        if item == 0:
            (tmp_path / "c").rmdir()
        raise ValueError(item)

    with pytest.warns(RuntimeWarning, match="a failure capsule cannot be written") as warned:
        assert pipe.run(capsules=tmp_path / "c")["fails"].skipped == 3
    assert len(warned) == 1


@pytest.mark.parametrize("wrong", [3, b"c", True])
def test_a_directory_is_a_path(wrong: Any) -> None:
    with pytest.raises(UsageError, match="capsules is the path of a directory"):
        Pipeline("wrong").run([1], capsules=wrong)


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("")
    with pytest.raises(UsageError, match="is no directory"):
        Pipeline("wrong").run([1], capsules=tmp_path / "c")


def test_runs_that_share_a_directory_write_over_nothing(tmp_path: Path) -> None:
    saved(tmp_path / "c", 1, 2)
    assert sorted(capsule.item() for capsule in saved(tmp_path / "c", 3)) == [1, 2, 3]


def test_an_error_that_cannot_be_told_ends_nothing(tmp_path: Path) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("mute")

    def fails(item: int) -> None:
        raise Mute

    pipe = Pipeline("mute")
    pipe.source(range(3))
    pipe.processor(fails, on_error="skip")
    with pytest.warns(RuntimeWarning, match="a failure capsule cannot be written: mute"):
        assert pipe.run(capsules=tmp_path / "c")["fails"].skipped == 3
