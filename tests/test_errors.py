"""The tree of errors: who catches what, and what survives a trip to another process."""

from __future__ import annotations

import pickle

import pytest

from minigun_py import errors
from minigun_py.errors import (
    BrokenChannel,
    ChannelAborted,
    ChannelError,
    CheckpointError,
    ContextError,
    EndOfChannel,
    InternalError,
    ItemTimedOut,
    JobCancelled,
    KindUnavailable,
    MemoryExceeded,
    MinigunError,
    NotPicklable,
    PipelineFailed,
    PlanWarning,
    RemoteError,
    RunCancelled,
    RunTimedOut,
    TooManyFailures,
    UsageError,
    WorkerDied,
    WouldBlock,
)

EXAMPLES: list[BaseException] = [
    BrokenChannel("nobody receives"),
    ChannelAborted("cut"),
    ChannelError("closed"),
    CheckpointError("damaged"),
    ContextError("idle"),
    KindUnavailable("not now"),
    PlanWarning("fork stands in"),
    EndOfChannel("complete"),
    InternalError("a bug"),
    ItemTimedOut(0.5),
    JobCancelled("ios", "enough"),
    MemoryExceeded(1000),
    MinigunError("any"),
    NotPicklable("a lambda"),
    PipelineFailed("2 stages failed", [ValueError("a"), OSError("b")]),
    RemoteError("shop.Refused", "no credit"),
    RunCancelled("shutdown"),
    RunTimedOut(2.5),
    TooManyFailures("parse", 11, 200, 0.05),
    UsageError("write it so"),
    WorkerDied("killed by SIGKILL", -9),
    WouldBlock("full"),
]


def test_there_is_an_example_of_every_error_here() -> None:
    assert sorted(type(example).__name__ for example in EXAMPLES) == sorted(errors.__all__)


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_in_the_drawn_tree(name: str) -> None:
    assert f"── {name} " in f"{errors.__doc__}".replace("\n", " \n")


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_every_error_survives_a_pickle(error: BaseException) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    fields = {name: repr(value) for name, value in vars(error).items()}
    assert {name: repr(value) for name, value in vars(copy).items()} == fields


def test_a_stage_that_catches_exception_cannot_swallow_the_end_of_its_run() -> None:
    uncatchable = {type(e) for e in EXAMPLES if not isinstance(e, Exception)}
    assert uncatchable == {ChannelAborted, RunCancelled}


def test_all_other_errors_but_a_failed_pipeline_and_a_warning_are_minigun_errors() -> None:
    others = {type(e) for e in EXAMPLES if not isinstance(e, MinigunError)}
    assert others == {ChannelAborted, RunCancelled, PipelineFailed, PlanWarning}


@pytest.mark.parametrize("kind", [EndOfChannel, WouldBlock, BrokenChannel])
def test_whatever_a_channel_says_is_a_channel_error(kind: type[Exception]) -> None:
    assert issubclass(kind, ChannelError)


def test_a_cancelled_run_says_why_if_it_knows() -> None:
    assert str(RunCancelled()) == "the run was cancelled"
    assert str(RunCancelled("shutdown")) == "the run was cancelled: shutdown"


def test_a_timed_out_run_says_the_time_it_was_given() -> None:
    assert str(RunTimedOut(2.5)) == "the run did not end within 2.5 s"


def test_a_dead_worker_reads_as_its_message_and_keeps_its_status() -> None:
    error = WorkerDied("killed by SIGKILL", -9)
    assert (str(error), error.status) == ("killed by SIGKILL", -9)


def test_a_remote_error_names_the_type_that_could_not_come() -> None:
    assert str(RemoteError("shop.Refused", "no credit")) == "shop.Refused: no credit"


def test_a_split_failure_keeps_its_type_and_its_report() -> None:
    failed = PipelineFailed("2 stages failed", [ValueError("a"), OSError("b")])
    failed.report = object()
    values, rest = failed.split(ValueError)
    for part in (values, rest):
        assert isinstance(part, PipelineFailed)
        assert part.report is failed.report
        assert part.message == "2 stages failed"
