"""The orchestrator opens everything or nothing, watches the lanes, and leaves none unnamed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, ClassVar

import pytest

from minigun_py.clock import SYSTEM_CLOCK, Deadline
from minigun_py.contexts import fallback
from minigun_py.contexts.answer import Answer
from minigun_py.contexts.context import LeaseReceiver, Traits
from minigun_py.contexts.inline import InlineContext
from minigun_py.contexts.kernel import Kernel
from minigun_py.engine.failure import Policy
from minigun_py.engine.ledger import Ledger
from minigun_py.engine.orchestrator import Orchestrator
from minigun_py.engine.shutdown import PATIENCE, Phase
from minigun_py.engine.verdict import Verdict
from minigun_py.events import Observers
from minigun_py.placement import ContextKind, ContextSpec
from minigun_py.plan.stage import DeclaredStage
from minigun_py.primitives.cancel import CancelToken
from plan.drawing import batch, consumer, plan_of, processor, source

LONG = 10.0


class Stand:
    """An orchestrator of these stages, and all that it speaks to."""

    def __init__(self, *stages: DeclaredStage, wanted: bool = False, policy: str = "fail") -> None:
        plan = plan_of(*stages)
        self.token = CancelToken()
        self.ledger = Ledger(plan.graph.stages.values())
        policies = {stage.name: Policy(policy) for stage in stages}
        self.verdict = Verdict(self.token, self.ledger, policies, Observers(), SYSTEM_CLOCK)
        parts = (plan.segments, self.ledger, self.verdict, self.token, wanted)
        self.orchestrator = Orchestrator(*parts)

    def start(self) -> None:
        self.orchestrator.open()
        self.orchestrator.start()

    def run(self) -> None:
        self.start()
        assert self.orchestrator.wait(LONG)


class Fake:
    """A context that does what an inline one does, and tells what was asked of it."""

    traits: ClassVar = Traits(shares_memory=True, survives_crash=False, killable=True)

    def __init__(self, kind: ContextKind, told: list[str], fails: str | None) -> None:
        self._kind, self._told, self._fails = kind.value, told, fails
        self._inline = InlineContext()
        self._name = "?"

    def open(self, kernel: Kernel, spec: ContextSpec) -> None:
        self._name = kernel.stages[0]
        self._told.append(f"open {self._kind} {self._name}")
        if self._name == self._fails:
            raise OSError("no more processes")
        self._inline.open(kernel, spec)

    def serve(
        self, leases: LeaseReceiver, answer: Callable[[Answer], None], board: object = None
    ) -> None:
        self._inline.serve(leases, answer)

    def kill(self, why: str) -> None:
        self._told.append(f"kill {self._name}: {why}")

    def close(self, deadline: Deadline) -> None:
        self._told.append(f"close {self._name}")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What contexts are asked for; none of them is a real one."""
    told: list[str] = []
    monkeypatch.setattr(fallback, "create", lambda kind: Fake(kind, told, None))
    return told


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No phase of a shutdown takes long."""
    for phase in PATIENCE:
        monkeypatch.setitem(PATIENCE, phase, 0.05)


STAGES = (
    source("s"),
    processor("a", execution="thread"),
    processor("b", execution="fork"),
    batch("c"),
    processor("d", execution="fork"),
)


def test_contexts_that_fork_are_opened_first(told: list[str]) -> None:
    Stand(*STAGES).run()
    assert told[:4] == ["open fork b", "open fork d", "open thread a", "open inline c"]


def test_contexts_are_opened_before_any_thread_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def create(kind: ContextKind) -> InlineContext:
        threads.append(threading.active_count())
        return InlineContext()

    monkeypatch.setattr(fallback, "create", create)
    Stand(*STAGES).run()
    assert set(threads) == {threading.active_count()}


def test_every_context_is_closed_at_the_end(told: list[str]) -> None:
    Stand(*STAGES).run()
    assert sorted(line for line in told if line.startswith("close")) == [
        "close a", "close b", "close c", "close d",
    ]  # fmt: skip


def test_when_one_cannot_be_opened_all_are_closed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(fallback, "create", lambda kind: Fake(kind, told, fails="a"))
    stand = Stand(*STAGES)
    with pytest.raises(OSError, match="no more processes"):
        stand.orchestrator.open()
    assert told == [
        "open fork b", "open fork d", "open thread a", "close a", "close b", "close d",
    ]  # fmt: skip


def test_when_a_thread_cannot_be_started_all_is_closed_again(
    told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    start, started = threading.Thread.start, []

    def start_two(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_two)
    stand = Stand(*STAGES)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        stand.start()
    assert not stand.orchestrator.running
    assert sorted(line for line in told if line.startswith("close")) == [
        "close a", "close b", "close c", "close d",
    ]  # fmt: skip


def test_items_go_from_lane_to_lane() -> None:
    got: list[Any] = []
    stages = (
        source("s", range(20)),
        processor("a", lambda n: n + 1, workers=3),
        batch("b", 5),
        consumer("c", got.append),
    )
    Stand(*stages).run()
    assert [len(batched) for batched in got] == [5, 5, 5, 5]
    assert sorted(n for batched in got for n in batched) == list(range(1, 21))


def test_the_books_balance_at_the_end() -> None:
    stand = Stand(source("s", range(50)), processor("a", workers=2), consumer("b", workers=2))
    stand.run()
    assert stand.ledger.imbalances() == []
    assert stand.ledger.snapshot()["b"].completed == 50


def test_several_lanes_may_feed_one() -> None:
    got: list[int] = []
    stages = (
        source("s", range(10), to=["a", "b"]),
        processor("a", workers=2),
        processor("b", workers=2),
        consumer("c", got.append),
    )
    Stand(*stages).run()
    assert sorted(got) == sorted([*range(10)] * 2)


def test_what_is_dealt_goes_to_each_in_turn() -> None:
    one: list[int] = []
    other: list[int] = []
    stages = (
        source("s", range(10), to=["a", "b"], routing="round_robin"),
        consumer("a", one.append, workers=1),
        consumer("b", other.append),
    )
    Stand(*stages).run()
    assert (one, other) == ([0, 2, 4, 6, 8], [1, 3, 5, 7, 9])


def test_outputs_that_are_wanted_come_out_at_the_outlet() -> None:
    stand = Stand(source("s", range(5)), processor("a", workers=1), wanted=True)
    stand.start()
    lanes = stand.orchestrator
    assert lanes.outlet is not None
    outputs = [*chain.from_iterable(lanes.outlet.take(lanes.next_look, lanes.look))]
    assert outputs == [*range(5)]
    assert stand.orchestrator.wait(LONG)


def test_a_wait_that_is_too_short_says_so() -> None:
    going = threading.Event()
    stand = Stand(source("s", [1]), processor("a", lambda _: going.wait(LONG), workers=1))
    stand.start()
    assert not stand.orchestrator.wait(0.01)
    assert stand.orchestrator.running
    going.set()
    assert stand.orchestrator.wait(LONG)
    assert not stand.orchestrator.running


def endless() -> Iterator[int]:
    while True:
        yield 1


def test_a_drain_stops_the_sources_and_loses_nothing() -> None:
    seen = threading.Event()
    stand = Stand(
        source("s", endless), processor("a", lambda _: seen.set(), workers=1, queue_size=5)
    )
    stand.start()
    assert seen.wait(LONG)
    stand.orchestrator.drain()
    assert stand.orchestrator.wait(LONG)
    page = stand.ledger.snapshot()
    assert page["a"].received == page["s"].emitted
    assert not stand.token.cancelled


def test_a_cancelled_token_cuts_every_lane() -> None:
    stand = Stand(source("s", endless), processor("a", workers=2), consumer("b", workers=2))
    stand.start()
    stand.token.cancel("enough")
    assert stand.orchestrator.wait(LONG)
    assert stand.verdict.errors == ()
    assert stand.ledger.imbalances() == []


def test_a_token_that_is_cancelled_already_lets_nothing_begin() -> None:
    ran: list[int] = []
    stand = Stand(source("s", range(5)), processor("a", ran.append, workers=1))
    stand.token.cancel("too late")
    stand.run()
    assert ran == []


def test_a_deadline_of_the_token_is_seen_while_waiting() -> None:
    stand = Stand(source("s", endless), processor("a", workers=1))
    stand.orchestrator._token = stand.token.child(timeout=0.02)
    stand.run()


def test_a_failure_ends_every_lane() -> None:
    stand = Stand(source("s", endless), processor("a", lambda n: n // 0, workers=2))
    stand.run()
    assert {type(error) for error in stand.verdict.errors} == {ZeroDivisionError}
    assert stand.ledger.imbalances() == []


@pytest.mark.usefixtures("impatient")
def test_a_thread_that_does_not_end_is_left_behind_by_name_and_stack() -> None:
    stuck, going = threading.Event(), threading.Event()

    def stubborn(item: int) -> None:
        stuck.set()
        going.wait(LONG)

    stand = Stand(source("s", [1]), processor("a", stubborn, workers=1))
    stand.start()
    try:
        assert stuck.wait(LONG)
        stand.token.cancel("enough")
        with pytest.warns(ResourceWarning, match="minigun-a did not end") as warned:
            assert stand.orchestrator.wait(LONG)
        assert "in stubborn" in str(warned[0].message)
        assert not stand.orchestrator.running
    finally:
        going.set()


@pytest.mark.usefixtures("impatient")
def test_before_a_thread_is_left_behind_force_is_tried(told: list[str]) -> None:
    stuck, going = threading.Event(), threading.Event()

    def stubborn(item: int) -> None:
        stuck.set()
        going.wait(LONG)

    stand = Stand(source("s", [1]), processor("a", stubborn, workers=1))
    stand.start()
    try:
        assert stuck.wait(LONG)
        stand.orchestrator.drain()
        with pytest.warns(ResourceWarning, match="minigun-a"):
            stand.orchestrator.wait(LONG)
        assert "kill a: the run did not end in time" in told
        assert stand.token.reason == "what was in flight did not end in time"
    finally:
        going.set()


def test_an_end_by_force_skips_the_phases_before_it(told: list[str]) -> None:
    stand = Stand(source("s", endless), processor("a", workers=1))
    stand.start()
    stand.orchestrator.kill("interrupted twice")
    assert stand.orchestrator.wait(LONG)
    assert "kill a: interrupted twice" in told
    assert stand.token.reason == "interrupted twice"
    assert stand.orchestrator._shutdown.phase is Phase.KILLING
