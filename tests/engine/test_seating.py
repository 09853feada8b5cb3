"""One at most waits at the board of a run: who gets what comes from there, and has time."""

from __future__ import annotations

from typing import Any

import pytest

from minigun_py.engine.failure import Policy
from minigun_py.engine.ledger import Ledger
from minigun_py.engine.seating import Seating, may_be_lent
from minigun_py.engine.verdict import Verdict
from minigun_py.events import Observers
from minigun_py.plan.hooks import Hook, Hooks
from minigun_py.plan.stage import DeclaredStage
from minigun_py.primitives.cancel import CancelToken
from minigun_py.testing.clock import VirtualClock
from plan.drawing import batch, consumer, processor, segments_of, source


class Seated:
    """Who sits where in the run of these stages."""

    def __init__(self, *stages: DeclaredStage, takes: bool) -> None:
        self.segments = segments_of(stages)
        self._seating = Seating(self.segments, takes)

    def __enter__(self) -> Seated:
        return self

    def __exit__(self, *_: object) -> None:
        self._seating.close()

    @property
    def at_board(self) -> list[str]:
        return [s.head.name for s in self.segments if self._seating.board_of(s) is not None]

    @property
    def taker_visits(self) -> bool:
        return self._seating.taker() is not None


def fork(name: str, **options: Any) -> DeclaredStage:
    return processor(name, execution="fork", **options)


def thread(name: str) -> DeclaredStage:
    return processor(name, execution="thread")


def test_a_run_without_sockets_has_no_board() -> None:
    with Seated(source("s"), thread("a"), consumer("c"), takes=True) as seated:
        assert (seated.at_board, seated.taker_visits) == ([], False)


def test_whoever_takes_what_comes_from_processes_visits() -> None:
    with Seated(source("s"), thread("a"), fork("b"), takes=True) as seated:
        assert (seated.at_board, seated.taker_visits) == (["b"], True)


def test_whoever_takes_what_comes_from_threads_does_not() -> None:
    with Seated(source("s"), fork("a"), thread("b"), takes=True) as seated:
        assert (seated.at_board, seated.taker_visits) == (["a"], False)


def test_a_consumer_behind_processes_visits_in_his_place() -> None:
    with Seated(source("s"), fork("a"), consumer("c"), takes=False) as seated:
        assert (seated.at_board, seated.taker_visits) == (["a", "c"], False)


def test_there_is_one_visitor_at_most() -> None:
    stages = (source("s"), fork("a"), batch("b"), fork("d"), batch("e"), fork("f"))
    with Seated(*stages, takes=True) as seated:
        assert (seated.at_board, seated.taker_visits) == (["a", "d", "f"], True)
    with Seated(*stages, takes=False) as seated:
        assert (seated.at_board, seated.taker_visits) == (["a", "b", "d", "f"], False)


LENT = {
    "nothing": (True, fork("a"), {}),
    "a hook that is called elsewhere": (True, fork("a"), {"hooks": Hooks([Hook("after", print)])}),
    "a word": (True, fork("a"), {"policies": {"a": Policy("skip")}}),
    "a key": (False, fork("a", key=len, workers=2), {}),
    "an observer": (False, fork("a"), {"observers": Observers([print])}),
    "a function": (False, fork("a"), {"policies": {"a": Policy(lambda _: "skip")}}),
    "a hook": (False, fork("a"), {"hooks": Hooks([Hook("on_failure", print)])}),
}


@pytest.mark.parametrize(("lent", "stage", "over"), LENT.values(), ids=LENT)
def test_nobody_is_lent_to_functions_of_the_user(
    lent: bool, stage: DeclaredStage, over: dict[str, Any]
) -> None:
    segments, clock = segments_of((source("s"), stage)), VirtualClock()
    ledger = Ledger([stage for segment in segments for stage in segment.stages])
    told = {"policies": {}, "observers": Observers(), **over}
    token = CancelToken(clock)
    verdict = Verdict(token, ledger, clock=clock, **told)
    assert may_be_lent(segments, verdict, token) is lent


def test_nobody_is_lent_whose_run_is_to_end_at_some_time() -> None:
    segments, clock = segments_of((source("s"), fork("a"))), VirtualClock()
    token = CancelToken(clock).child(timeout=1.0)
    ledger = Ledger([stage for segment in segments for stage in segment.stages])
    verdict = Verdict(token, ledger, {}, Observers(), clock)
    assert not may_be_lent(segments, verdict, token)
