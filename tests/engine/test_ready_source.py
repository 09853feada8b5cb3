"""A source whose items are there already is taken from as it is; the books show no difference."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from minigun_py import Pipeline, current
from minigun_py.engine.ledger import Ledger
from minigun_py.engine.ready_source import ReadySource, ready_sources
from minigun_py.engine.verdict import Verdict
from minigun_py.errors import ChannelAborted, EndOfChannel
from minigun_py.events import Observers
from minigun_py.plan.stage import DeclaredStage
from minigun_py.primitives.cancel import CancelToken
from minigun_py.testing.clock import VirtualClock
from plan.drawing import processor, segments_of, source

LIMIT = 20.0


def lane(name: str, **options: Any) -> DeclaredStage:
    """A processor that is a segment of its own."""
    return processor(name, execution="thread", **options)


def numbers() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("stages", "ready"),
    [
        ([source("s", [1]), lane("a")], {"a": "s"}),
        ([source("s", range(3)), lane("a"), lane("b")], {"a": "s"}),
        ([source("s", iter([1])), lane("a", key=abs, workers=2)], {"a": "s"}),
        ([source("s", [1], to="a"), source("t", (2,), to="b"), lane("a", to="c"),
          lane("b", to="c"), lane("c")], {"a": "s", "b": "t"}),
        ([source("s", numbers), lane("a")], {}),
        ([source("s", numbers()), lane("a")], {}),
        ([source("s", [1], rate="5/s"), lane("a")], {}),
        ([source("s", [1], to="a"), source("t", [2], to="a"), lane("a")], {}),
        ([source("s", [1], to=("a", "b")), lane("a"), lane("b")], {}),
        ([source("s", [1]), processor("f"), lane("a")], {}),
        ([source("s", [1]), lane("a", feedback="a")], {}),
    ],
    ids=["list", "range", "keys", "two", "function", "generator", "rate", "join", "fork", "fused",
         "loop"],
)  # fmt: skip
def test_which_sources_are_ready(stages: list[DeclaredStage], ready: dict[str, str]) -> None:
    found = ready_sources(segments_of(stages))
    assert {target: segment.head.name for target, segment in found.items()} == ready


class Stand:
    """A ready source, from which the test takes."""

    def __init__(self, items: Any, **options: Any) -> None:
        segments = segments_of([source("s", items), lane("a", **options)])
        self.token, clock = CancelToken(), VirtualClock()
        self.ledger = Ledger([stage for segment in segments for stage in segment.stages])
        self.verdict = Verdict(self.token, self.ledger, {}, Observers(), clock)
        self.source = ReadySource(*segments, self.ledger, self.verdict)
        self.token.on_cancel(lambda: self.source.abort(self.token.reason))

    def take(self, most: int) -> list[Any]:
        return self.source.receive_many(most)

    @property
    def emitted(self) -> int:
        return self.ledger.snapshot()["s"].emitted


def test_what_is_taken_is_counted_and_then_comes_the_end() -> None:
    stand = Stand([1, 2, 3])
    assert (stand.source.waiting, stand.source.ending) == (3, True)
    assert stand.take(2) == [1, 2]
    assert (stand.source.waiting, stand.emitted) == (1, 2)
    assert stand.take(2) == [3]
    with pytest.raises(EndOfChannel):
        stand.take(1)
    books = stand.source.statistics()
    assert (books.sent, books.received, books.waiting, stand.emitted) == (3, 3, 0, 3)


def test_no_more_is_taken_at_once_than_a_queue_would_hold() -> None:
    assert len(Stand(range(100), queue_size=7).take(50)) == 7


def test_no_more_bytes_are_taken_at_once_than_a_queue_would_hold() -> None:
    large = [bytes([n]) * 1000 for n in range(10)]
    stand = Stand(large, queue_bytes=3500)
    taken = [stand.take(8) for _ in range(3)]
    assert all(1 <= len(some) <= 3 for some in taken)
    assert stand.emitted == sum(map(len, taken))
    while stand.source.waiting:
        taken.append(stand.take(8))
    assert [item for some in taken for item in some] == large


def test_one_item_is_always_taken_however_large() -> None:
    assert Stand([bytes(1000)], queue_bytes=10).take(5) == [bytes(1000)]


def test_where_there_is_no_end_nobody_waits_for_it() -> None:
    stand = Stand(itertools.count())
    assert not stand.source.ending
    assert stand.take(3) == [0, 1, 2]


@pytest.mark.parametrize("begun", [False, True])
def test_after_a_drain_nothing_more_is_taken(begun: bool) -> None:
    stand, woken = Stand([1, 2]), threading.Event()
    if begun:
        stand.take(1)
    stand.source.on_ready(woken.set)
    woken.clear()
    stand.source.drain()
    assert woken.is_set()
    assert stand.source.waiting == 0
    with pytest.raises(EndOfChannel):
        stand.take(1)


def test_after_a_cut_the_reason_is_told() -> None:
    stand = Stand([1, 2])
    stand.token.cancel("enough")
    with pytest.raises(ChannelAborted, match="enough"):
        stand.take(1)


@pytest.mark.parametrize("how", ["end", "drain", "abort", "close"])
def test_its_lane_ends_when_nothing_more_is_taken(how: str) -> None:
    stand = Stand([1])
    with ThreadPoolExecutor(1) as pool:
        lane_ended = pool.submit(stand.source.run)
        match how:
            case "end":
                stand.take(1)
                with pytest.raises(EndOfChannel):
                    stand.take(1)
            case "drain":
                stand.source.drain()
            case "abort":
                stand.source.abort()
            case _:
                stand.source.close()
        lane_ended.result(LIMIT)


def test_who_asks_to_be_woken_is_woken_at_once() -> None:
    stand, woken = Stand([1]), threading.Event()
    stand.source.on_ready(woken.set)
    assert woken.is_set()


def test_what_drawing_raises_fails_the_source_and_ends_the_run() -> None:
    items = {1: 1, 2: 2}
    stand = Stand(items)
    assert stand.take(1) == [1]
    items[3] = 3
    with pytest.raises(EndOfChannel):
        stand.take(1)
    [error] = stand.verdict.errors
    assert isinstance(error, RuntimeError)
    assert stand.ledger.snapshot()["s"].failed == 1
    assert stand.token.cancelled


def test_threads_that_take_at_once_get_every_item_once() -> None:
    stand = Stand(range(20_000))

    def take() -> list[int]:
        taken: list[int] = []
        while True:
            try:
                taken += stand.take(7)
            except EndOfChannel:
                return taken

    with ThreadPoolExecutor(4) as pool:
        results = [pool.submit(take) for _ in range(4)]
        taken = [result.result(LIMIT) for result in results]
    assert sorted(n for some in taken for n in some) == list(range(20_000))
    assert all(some == sorted(some) for some in taken)
    assert stand.emitted == 20_000


@pytest.mark.parametrize("execution", ["thread", "fork"])
def test_hooks_and_the_report_know_the_source(execution: str) -> None:
    ended: list[str] = []
    pipe = Pipeline("told")
    pipe.source(range(50), name="numbers")
    pipe.processor(abs, name="same", execution=execution)
    pipe.after("numbers")(lambda: ended.append("numbers"))
    report = pipe.run()
    assert ended == ["numbers"]
    assert (report["numbers"].emitted, report["same"].received) == (50, 50)


def test_a_slow_consumer_holds_the_source_back() -> None:
    drawn = itertools.count()
    seen: list[int] = []
    pipe = Pipeline("slow")
    pipe.source(drawn)

    @pipe.consumer(execution="thread", queue_size=4)
    def look(number: int) -> None:
        seen.append(next(drawn) - number)
        if number > 200:
            current().drain()

    pipe.run()
    assert max(seen) <= 4 * 3
