"""The verdict applies the policies, cuts the run once, and keeps what is raised at the door."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from minigun_py.contexts.answer import ItemFailure
from minigun_py.engine.failure import Action, CrashBudget, Policy
from minigun_py.engine.ledger import Ledger, StageBook
from minigun_py.engine.report import FailedItem
from minigun_py.engine.verdict import KEPT_FAILURES, Verdict
from minigun_py.errors import InternalError, RunCancelled, TooManyFailures, UsageError, WorkerDied
from minigun_py.events import Event, ItemFailed, Observers, StageEnded, WorkerReplaced
from minigun_py.plan.hooks import Hook, Hooks
from minigun_py.plan.options import OnError
from minigun_py.primitives.cancel import CancelToken
from minigun_py.testing.clock import VirtualClock
from plan.drawing import processor, source


class Room:
    """A verdict with all that it speaks to."""

    def __init__(self, policy: OnError = "fail", hooks: Sequence[Hook] = (), **more: Any) -> None:
        self.clock = VirtualClock()
        self.token = CancelToken(self.clock)
        self.ledger = Ledger([source("s"), processor("a")])
        self.events: list[Event] = []
        observers = Observers([self.events.append])
        self.verdict = Verdict(
            self.token,
            self.ledger,
            {"a": Policy(policy, **more)},
            observers,
            self.clock,
            Hooks(hooks),
        )

    def fails(self, item: Any, error: Exception) -> list[FailedItem[Any]]:
        self.ledger.failed("a")
        return self.verdict.items_failed([ItemFailure("a", 0, item, error)])

    @property
    def page(self) -> StageBook:
        return self.ledger.snapshot()["a"]


def test_a_failure_that_is_not_forgiven_cuts_the_run() -> None:
    room, error = Room(), ValueError("no")
    room.fails(7, error)
    assert room.token.reason is error
    assert room.verdict.errors == (error,)


def test_a_failure_is_told_with_stage_and_item() -> None:
    room, error = Room(), ValueError("no")
    room.fails("x" * 300, error)
    (note,) = error.__notes__
    assert note.startswith("in stage 'a', on item 'xxx")
    assert "x..., attempt 1" in note
    assert len(note) < 250


def test_an_item_that_cannot_be_shown_hides_no_failure() -> None:
    class Shy:
        def __repr__(self) -> str:
            raise RuntimeError("not me")

    room, error = Room(), ValueError("no")
    room.fails(Shy(), error)
    assert room.verdict.errors == (error,)
    assert "Shy" in error.__notes__[0]


def test_a_forgiven_failure_is_skipped_and_the_run_goes_on() -> None:
    room = Room("skip")
    room.fails(7, ValueError("no"))
    page = room.ledger.snapshot()["a"]
    assert (page.failed, page.skipped) == (0, 1)
    assert not room.token.cancelled
    assert room.verdict.errors == ()


def test_wrong_use_of_the_library_is_not_forgiven() -> None:
    room = Room("skip")
    room.fails(7, UsageError("no"))
    assert room.token.cancelled
    assert room.ledger.snapshot()["a"].failed == 1


def test_a_stage_without_a_policy_fails() -> None:
    room = Room()
    room.verdict.items_failed([ItemFailure("s", 0, None, ValueError())])
    assert room.token.cancelled


def test_every_failure_is_kept_with_its_item() -> None:
    room, error = Room("skip"), ValueError("no")
    room.fails(7, error)
    (failed,) = room.verdict.failures
    assert (failed.stage, failed.item, failed.error) == ("a", 7, error)


def test_only_the_first_thousand_failures_are_kept_and_all_are_counted() -> None:
    room = Room("skip")
    for n in range(KEPT_FAILURES + 5):
        room.fails(n, ValueError())
    assert [failed.item for failed in room.verdict.failures] == list(range(KEPT_FAILURES))
    assert room.ledger.snapshot()["a"].skipped == KEPT_FAILURES + 5


def test_what_follows_the_first_error_is_not_raised() -> None:
    room, first = Room(), ValueError("first")
    room.fails(1, first)
    room.fails(2, ValueError("second"))
    assert room.verdict.errors == (first,)
    assert room.token.reason is first


def test_observers_hear_of_every_failure_and_what_became_of_it() -> None:
    room, error = Room("skip"), ValueError("no")
    room.clock.advance(5.0)
    room.fails(7, error)
    assert room.events == [ItemFailed(5.0, "a", 7, error, "skip")]


def test_observers_hear_of_every_stage_that_ended() -> None:
    room = Room()
    room.verdict.stages_ended(["s", "a"])
    assert room.events == [StageEnded(0.0, "s"), StageEnded(0.0, "a")]


def test_no_record_is_made_when_nobody_listens() -> None:
    room = Room()
    quiet = Verdict(room.token, room.ledger, {}, Observers(), room.clock)

    def make(at: float) -> Event:
        raise AssertionError("made")

    quiet.tell(make)


# --------------------------------------------------------------------------- hooks


def refuse(*_: Any) -> None:
    raise OSError("no")


def test_hooks_of_a_kind_are_called_in_the_order_of_their_definition() -> None:
    seen: list[str] = []
    room = Room(hooks=[
        Hook("before_run", lambda: seen.append("first")),
        Hook("after_run", lambda: seen.append("another kind")),
        Hook("before_run", lambda: seen.append("second")),
    ])  # fmt: skip
    assert room.verdict.call_hooks("before_run")
    assert seen == ["first", "second"]


def test_a_hook_of_a_stage_is_called_for_that_stage_alone() -> None:
    seen: list[str] = []
    room = Room(hooks=[Hook("after", lambda: seen.append("a"), "a")])
    room.verdict.stages_ended(["s"])
    assert seen == []
    room.verdict.stages_ended(["a"])
    assert seen == ["a"]


@pytest.mark.parametrize("policy", ["skip", "fail"])
def test_a_hook_is_told_of_every_failed_item(policy: str) -> None:
    seen: list[Any] = []
    room, error = Room(policy, [Hook("on_failure", seen.append)]), ValueError("no")
    room.fails(7, error)
    assert [(failed.stage, failed.item, failed.error) for failed in seen] == [("a", 7, error)]


def test_a_hook_that_raises_ends_the_run_with_a_note_of_its_kind() -> None:
    room = Room(hooks=[Hook("before_run", refuse)])
    assert not room.verdict.call_hooks("before_run")
    (error,) = room.verdict.errors
    assert isinstance(error, OSError)
    assert error.__notes__ == ["in hook before_run"]
    assert room.token.cancelled


def test_a_hook_that_raises_keeps_no_other_from_being_called() -> None:
    seen: list[str] = []
    hooks = [Hook("after_run", refuse), Hook("after_run", lambda: seen.append("second"))]
    assert not Room(hooks=hooks).verdict.call_hooks("after_run", None)
    assert seen == ["second"]


def test_a_hook_that_takes_nothing_is_told_nothing() -> None:
    seen: list[Any] = []
    hooks = [Hook("after_run", lambda: seen.append("none")), Hook("after_run", seen.append)]
    assert Room(hooks=hooks).verdict.call_hooks("after_run", "report")
    assert seen == ["none", "report"]


def test_a_hook_may_fail_an_item_itself() -> None:
    """Its thread takes the turn of hooks again, which it has."""
    room = Room("skip")
    seen: list[Any] = []

    def again(failed: Any) -> None:
        seen.append(failed.item)
        if failed.item:
            room.fails(failed.item - 1, ValueError())

    room.verdict.hooks = Hooks([Hook("on_failure", again)])
    room.fails(2, ValueError())
    assert seen == [2, 1, 0]


# --------------------------------------------------------------------------- workers and lanes


def test_a_worker_that_died_is_replaced() -> None:
    room = Room()
    room.verdict.worker_died("a", WorkerDied("gone", -9))
    assert room.events == [WorkerReplaced(0.0, "a", -9)]
    assert not room.token.cancelled


def test_workers_that_keep_dying_end_the_run() -> None:
    room = Room("skip")
    for _ in range(CrashBudget.DEATHS + 1):
        room.verdict.worker_died("a", WorkerDied("killed by signal 9", -9))
    (error,) = room.verdict.errors
    assert isinstance(error, WorkerDied)
    assert str(error) == (
        "more than 5 workers of a died within 60 s; the last one: killed by signal 9"
    )
    assert error.status == -9


def test_each_stage_has_a_budget_of_its_own() -> None:
    room = Room()
    for _ in range(CrashBudget.DEATHS):
        room.verdict.worker_died("a", WorkerDied("gone"))
        room.verdict.worker_died("s", WorkerDied("gone"))
    assert not room.token.cancelled


def test_a_lane_that_raised_ends_the_run_with_its_error() -> None:
    room, error = Room(), OSError("disk")
    room.verdict.lane_failed("a", error)
    assert room.verdict.errors == (error,)


def test_a_lane_that_was_cancelled_cancels_the_run() -> None:
    room = Room()
    room.verdict.lane_failed("a", RunCancelled("enough"))
    assert room.token.reason == "enough"
    assert room.verdict.errors == ()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1), GeneratorExit()])
def test_a_lane_that_raised_no_exception_is_told_by_its_type(error: BaseException) -> None:
    room = Room()
    room.verdict.lane_failed("a", error)
    (raised,) = room.verdict.errors
    assert str(raised) == f"stage 'a' raised {type(error).__name__}"


# --------------------------------------------------------------------------- the audit


def test_books_that_do_not_balance_are_a_bug_that_is_raised() -> None:
    room = Room()
    room.verdict.audit(["a received 3 items, 1 unended", "b is odd"])
    (error,) = room.verdict.errors
    assert isinstance(error, InternalError)
    assert str(error) == ("the books do not balance: a received 3 items, 1 unended; b is odd")


def test_books_that_balance_raise_nothing() -> None:
    room = Room()
    room.verdict.audit([])
    assert room.verdict.errors == ()


def test_books_that_do_not_balance_come_after_what_ended_the_run() -> None:
    room, first = Room(), ValueError("first")
    room.fails(1, first)
    room.verdict.audit(["a is odd"])
    assert [type(error) for error in room.verdict.errors] == [ValueError, InternalError]


# --------------------------------------------------------------------------- dead letters


def test_a_dead_letter_that_a_stage_is_to_get_is_not_kept() -> None:
    room, error = Room("dead_letter", delivers=True), ValueError("no")
    assert room.fails(7, error) == [(FailedItem("a", 7, error), Action.DEAD_LETTER)]
    assert room.verdict.dead_letters == ()
    assert (room.page.failed, room.page.dead_lettered) == (0, 1)


def test_else_it_is_kept() -> None:
    room = Room("dead_letter")
    room.fails(7, ValueError("no"))
    assert [failed.item for failed in room.verdict.dead_letters] == [7]


def test_only_the_first_dead_letters_are_kept_and_all_are_counted() -> None:
    room = Room("dead_letter")
    for item in range(KEPT_FAILURES + 3):
        room.fails(item, ValueError("no"))
    assert len(room.verdict.dead_letters) == KEPT_FAILURES
    assert room.page.dead_lettered == KEPT_FAILURES + 3


def test_what_becomes_of_an_item_is_told() -> None:
    room = Room(lambda failed: "skip" if failed.item else "dead_letter")
    room.fails(0, ValueError("no"))
    room.fails(1, ValueError("no"))
    told = [event.action for event in room.events if isinstance(event, ItemFailed)]
    assert told == ["dead_letter", "skip"]


# --------------------------------------------------------------------------- too many


def test_more_failures_than_are_forgiven_cut_the_run() -> None:
    room, last = Room("skip", most=1), ValueError("second")
    room.fails(1, ValueError("first"))
    assert room.verdict.errors == ()
    room.fails(2, last)
    (error,) = room.verdict.errors
    assert isinstance(error, TooManyFailures)
    assert (error.failures, error.received, error.__cause__) == (2, 2, last)
    assert str(error) == "2 of 2 items failed in stage 'a', and its max_failures is 1"


def test_a_share_is_looked_at_again_when_the_stage_has_ended() -> None:
    room = Room("skip", most=0.01)
    room.fails(1, ValueError("first"))
    room.fails(2, ValueError("second"))
    room.ledger.cancelled("a", 98)
    assert room.verdict.errors == ()
    room.verdict.stages_ended(["a"])
    assert isinstance(room.verdict.errors[0], TooManyFailures)


def test_a_share_is_not_looked_at_after_a_cut() -> None:
    room = Room("skip", most=0.01)
    room.fails(1, ValueError("first"))
    room.fails(2, ValueError("second"))
    room.ledger.cancelled("a", 98)
    room.token.cancel("enough")
    room.verdict.stages_ended(["a"])
    assert room.verdict.errors == ()
