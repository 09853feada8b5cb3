"""A stage of the user's own keeps what it likes, in every kind, and nothing of it is lost."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from minigun_py import Pipeline, PipelineFailed, Stage, To, UsageError, current
from minigun_py.contexts.registry import obstacle_to, traits_of
from minigun_py.placement import ContextKind

KINDS = [
    kind.value
    for kind in ContextKind
    if kind not in (ContextKind.ASYNC, ContextKind.COW_FORK) and obstacle_to(kind) is None
]
AWAY = [kind for kind in KINDS if not traits_of(ContextKind(kind)).shares_memory]


class Total(Stage):
    """Sums up."""

    def setup(self) -> None:
        self.total = 0

    def process(self, item: int) -> None:
        self.total += item

    def flush(self) -> int:
        return self.total


class Pairs(Stage):
    """Gives pairs, and in the end what is left."""

    def __init__(self) -> None:
        self.kept: list[int] = []

    def process(self, item: int) -> Iterator[list[int]]:
        self.kept.append(item)
        if len(self.kept) == 2:
            pair, self.kept = self.kept, []
            yield pair

    def flush(self) -> Iterator[list[int]]:
        left, self.kept = self.kept, []
        if left:
            yield left


def fed(count: int, stage: Stage, **options: Any) -> Pipeline:
    """A source of numbers, and one stage."""
    pipe = Pipeline("own")
    pipe.source(range(count))
    pipe.add(stage, **options)
    return pipe


# --------------------------------------------------------------------------- what it does


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_keeps_it_gives_in_the_end(kind: str) -> None:
    assert fed(10, Total(), execution=kind).collect() == [45]


@pytest.mark.parametrize("kind", KINDS)
def test_it_gives_between_and_in_the_end(kind: str) -> None:
    assert fed(5, Pairs(), execution=kind).collect() == [[0, 1], [2, 3], [4]]


def test_without_a_word_it_has_one_lane_in_the_caller() -> None:
    plan = fed(1, Total()).plan()
    assert (plan.context_for("total").value, plan.workers_for("total")) == ("inline", 1)
    assert plan.affinity_for("total") is None


def test_its_name_is_that_of_its_class() -> None:
    class PerDay(Total):
        pass

    pipe = Pipeline()
    assert pipe.add(PerDay()).name == "per_day"


def test_a_run_leaves_the_instance_as_it_was() -> None:
    pairs = Pairs()
    pipe = fed(3, pairs)
    assert pipe.collect() == pipe.collect() == [[0, 1], [2]]
    assert pairs.kept == []


def test_the_same_instance_may_be_two_stages() -> None:
    pairs, pipe = Pairs(), Pipeline()
    pipe.source(range(3), to=["one", "two"])
    pipe.add(pairs, name="one", to=[])
    pipe.add(pairs, name="two", to=[])
    assert sorted(pipe.collect()) == [[0, 1], [0, 1], [2], [2]]


def test_each_worker_keeps_its_own() -> None:
    pipe = fed(100, Total(), execution="thread", workers=3)
    totals = pipe.collect()
    assert len(totals) == 3
    assert sum(totals) == 4950


@pytest.mark.parametrize("kind", ["thread", "fork"])
def test_by_key_each_worker_sees_whole_keys(kind: str) -> None:
    class Seen(Stage):
        def setup(self) -> None:
            self.seen: set[int] = set()

        def process(self, item: int) -> None:
            self.seen.add(item % 7)

        def flush(self) -> list[int]:
            return sorted(self.seen)

    pipe = fed(100, Seen(), execution=kind, workers=3, key=lambda n: n % 7)
    assert sorted(n for seen in pipe.collect() for n in seen) == list(range(7))


@pytest.mark.parametrize("execution", ["inline", "thread", "async"])
def test_it_may_be_asynchronous(execution: str) -> None:
    class Later(Stage):
        async def setup(self) -> None:
            self.kept: list[int] = []

        async def process(self, item: int) -> AsyncIterator[int]:
            self.kept.append(item)
            yield -item

        async def flush(self) -> AsyncIterator[int]:
            yield sum(self.kept)

    assert sorted(fed(4, Later(), execution=execution).collect()) == [-3, -2, -1, 0, 6]


def test_it_may_say_where_its_values_go_also_when_it_is_flushed() -> None:
    class Sort(Stage):
        def process(self, item: int) -> To[int]:
            return To("even" if item % 2 == 0 else "odd", item)

        def flush(self) -> To[str]:
            return To("odd", "end")

    pipe = Pipeline()
    pipe.source(range(4))
    pipe.add(Sort(), routes=["even", "odd"])
    pipe.consumer(lambda item: ("even", item), name="even")
    pipe.consumer(lambda item: ("odd", item), name="odd")
    assert sorted(pipe.collect(), key=str) == [
        ("even", 0), ("even", 2), ("odd", "end"), ("odd", 1), ("odd", 3),
    ]  # fmt: skip


@pytest.mark.parametrize("execution", ["inline", "thread", "async"])
def test_it_learns_where_it_runs_in_every_method(execution: str) -> None:
    class Curious(Stage):
        async def setup(self) -> None:
            self.heard = [current().stage]

        async def process(self, item: int) -> None:
            self.heard.append(current().stage)

        async def flush(self) -> list[str]:
            self.heard.append(current().stage)
            return self.heard

    pipe = fed(1, Curious(), execution=execution)
    pipe.accumulator(lambda items: items, name="after")
    assert pipe.collect() == [["curious"] * 3]


def test_within_another_stage_that_draws_it_learns_its_own_name_in_a_flush() -> None:
    class Curious(Stage):
        def process(self, item: int) -> None: ...

        def flush(self) -> str:
            return current().stage

    pipe = fed(1, Curious())
    pipe.accumulator(lambda items: items, name="after")
    assert pipe.collect() == ["curious"]


# --------------------------------------------------------------------------- setup and teardown


@pytest.mark.parametrize("kind", KINDS)
def test_setup_comes_first_and_teardown_last(kind: str, tmp_path: Path) -> None:
    diary = tmp_path / "diary"

    class Diarist(Stage):
        def note(self, text: str) -> None:
            with diary.open("a") as file:
                file.write(f"{text} ")

        def setup(self) -> None:
            self.note("setup")

        def process(self, item: int) -> None:
            self.note(str(item))

        def flush(self) -> None:
            self.note("flush")

        def teardown(self) -> None:
            self.note("teardown")

    for _ in range(10):  # a worker that has ended may not be replaced, however soon it exits
        diary.write_text("")
        fed(2, Diarist(), execution=kind).run()
        assert diary.read_text() == "setup 0 1 flush teardown "


def test_after_a_failure_it_is_torn_down_and_not_flushed() -> None:
    calls: list[str] = []

    class Wrong(Stage):
        def process(self, item: int) -> None:
            raise ValueError(item)

        def flush(self) -> None:
            calls.append("flush")

        def teardown(self) -> None:
            calls.append("teardown")

        def __deepcopy__(self, memo: Any) -> Stage:
            return self

    with pytest.raises(PipelineFailed):
        fed(2, Wrong()).run()
    assert calls == ["teardown"]


def test_what_a_flush_raises_fails_the_run() -> None:
    class Wrong(Total):
        def flush(self) -> int:
            raise ValueError("in the end")

    for execution in ("inline", "thread"):
        with pytest.raises(PipelineFailed) as raised:
            fed(2, Wrong(), execution=execution).run()
        assert [str(error) for error in raised.value.exceptions] == ["in the end"]


def test_a_failed_item_may_be_skipped_and_the_stage_goes_on() -> None:
    class Picky(Total):
        def process(self, item: int) -> None:
            if item == 2:
                raise ValueError(item)
            super().process(item)

    report = fed(5, Picky(), on_error="skip").run()
    assert (report["picky"].skipped, report["picky"].completed) == (1, 4)
    assert fed(5, Picky(), on_error="skip").collect() == [8]


def test_an_instance_that_cannot_be_copied_fails_the_run_with_what_to_do() -> None:
    class Locked(Total):
        def __init__(self) -> None:
            self.lock = threading.Lock()

    with pytest.raises((PipelineFailed, UsageError)) as raised:
        fed(2, Locked()).run()
    errors = getattr(raised.value, "exceptions", (raised.value,))
    assert "make in its setup what cannot" in str(errors[0])


# --------------------------------------------------------------------------- workers that die


class Dies(Stage):
    """Sums up, and its worker dies on one item the first time that it comes."""

    def __init__(self, mark: Path, item: int) -> None:
        self.mark, self.item = mark, item

    def setup(self) -> None:
        self.kept: list[int] = []

    def process(self, item: int) -> None:
        if item == self.item and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        self.kept.append(item)

    def flush(self) -> list[int]:
        return sorted(self.kept)


@pytest.mark.parametrize("chunk", [None, 1, 3])
def test_what_a_worker_that_dies_had_kept_is_run_again(chunk: int | None, tmp_path: Path) -> None:
    stage = Dies(tmp_path / "died", item=5)
    pipe = fed(10, stage, execution="fork", on_error="skip", chunk=chunk)
    assert pipe.collect() == [[0, 1, 2, 3, 4, 6, 7, 8, 9]]


def test_the_books_of_a_stage_whose_worker_died_balance(tmp_path: Path) -> None:
    report = fed(
        10, Dies(tmp_path / "died", item=5), execution="fork", on_error="skip", chunk=2
    ).run()
    page = report["dies"]
    assert (page.received, page.completed, page.skipped, page.emitted) == (10, 9, 1, 1)


class DiesInPairs(Pairs):
    """Gives pairs, and its worker dies on one item the first time that it comes."""

    def __init__(self, mark: Path, item: int) -> None:
        super().__init__()
        self.mark, self.item = mark, item

    def process(self, item: int) -> Iterator[list[int]]:
        if item == self.item and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        yield from super().process(item)


@pytest.mark.parametrize("item", range(5))
def test_with_single_items_what_was_given_is_not_given_twice(item: int, tmp_path: Path) -> None:
    stage = DiesInPairs(tmp_path / "died", item)
    given = fed(7, stage, execution="fork", on_error="skip", chunk=1).collect()
    assert sorted(n for pair in given for n in pair) == [n for n in range(7) if n != item]


@pytest.mark.parametrize("workers", [1, 2])
def test_recycled_workers_give_what_they_keep_before_they_go(workers: int) -> None:
    for kind in ("thread", "fork"):
        pipe = fed(10, Total(), execution=kind, workers=workers, max_items_per_worker=3)
        assert sum(pipe.collect()) == 45


# --------------------------------------------------------------------------- in a loop


@pytest.mark.parametrize("execution", ["inline", "thread", "fork"])
def test_in_a_loop_it_is_flushed_when_nothing_else_can_move(execution: str) -> None:
    def again(pair: list[int]) -> Any:
        yield from (To("pairs", n - 1) for n in pair if n > 0)
        yield pair

    pipe = fed(4, Pairs(), execution=execution)
    pipe.processor(again, feedback="pairs")
    given = pipe.collect(timeout=20)
    assert sorted(n for pair in given for n in pair) == [0, 0, 0, 0, 1, 1, 1, 2, 2, 3]
