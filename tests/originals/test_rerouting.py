"""Jobs whose subclasses skip, insert and redirect stages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from minigun_py import Job, To, consumer, processor, producer
from originals.kinds import in_quick_kinds, in_quick_processes, where

Item = dict[str, Any]


def results_of(job: type[Job]) -> list[Any]:
    """What the end stages of a fresh instance emit, in order."""
    return sorted(job().pipe.collect())


def base_of(kind: str) -> type[Job]:
    """Numbers, doubled and collected."""

    class Base(Job):
        @producer
        def generate(self) -> Iterator[int]:
            yield from range(1, 6)

        @processor(**where(kind))
        def double(self, number: int) -> int:
            return number * 2

        @consumer(**where(kind))
        def collect(self, number: int) -> int:
            return number

    return Base


@in_quick_kinds
def test_a_subclass_skips_a_stage(kind: str) -> None:
    """22_reroute_stage, 92_reroute_ipc_basic."""
    base = base_of(kind)

    class Skipping(base):  # type: ignore[misc, valid-type]
        reroutes: ClassVar = {"generate": ["collect"]}

    assert results_of(base) == [2, 4, 6, 8, 10]
    assert results_of(Skipping) == [1, 2, 3, 4, 5]


@in_quick_kinds
def test_a_subclass_inserts_a_stage(kind: str) -> None:
    """22_reroute_stage, 92_reroute_ipc_basic."""

    class Inserting(base_of(kind)):  # type: ignore[misc]
        reroutes: ClassVar = {"double": ["triple"], "triple": ["collect"]}

        @processor(**where(kind))
        def triple(self, number: int) -> int:
            return number * 3

    assert results_of(Inserting) == [6, 12, 18, 24, 30]


@in_quick_kinds
def test_powers_are_rerouted_as_sums_are(kind: str) -> None:
    """93_reroute_cow_basic."""

    class Squares(Job):
        execution = kind

        @producer
        def generate(self) -> Iterator[int]:
            yield from range(1, 6)

        @processor
        def square(self, number: int) -> int:
            return number**2

        @consumer(**where(kind))
        def collect(self, number: int) -> int:
            return number

    class Skipping(Squares):
        reroutes: ClassVar = {"generate": ["collect"]}

    class Inserting(Squares):
        reroutes: ClassVar = {"square": ["cube"], "cube": ["collect"]}

        @processor
        def cube(self, number: int) -> int:
            return number**3

    assert results_of(Squares) == [1, 4, 9, 16, 25]
    assert results_of(Skipping) == [1, 2, 3, 4, 5]
    assert results_of(Inserting) == [1, 64, 729, 4096, 15625]


def merging_of(kind: str) -> type[Job]:
    """Two producers, a stage for both, and a stage for one of them."""

    class Merging(Job):
        @producer
        def producer_a(self) -> Iterator[Item]:
            yield from ({"source": "A", "value": value} for value in (1, 2, 3))

        @producer
        def producer_b(self) -> Iterator[Item]:
            yield from ({"source": "B", "value": value} for value in (4, 5, 6))

        @processor(from_=["producer_a", "producer_b"], **where(kind))
        def merger(self, item: Item) -> Item:
            return item | {"by": "merger"}

        @processor(from_="producer_a", **where(kind))
        def a_only(self, item: Item) -> Item:
            return item | {"by": "a_only"}

        @consumer(from_=["merger", "a_only"])
        def collect(self, item: Item) -> tuple[str, int]:
            return item.get("by", "nobody"), item["value"]

    return Merging


MERGED = [("merger", value) for value in (1, 2, 3, 4, 5, 6)]
A_ONLY = [("a_only", value) for value in (1, 2, 3)]


@in_quick_kinds
def test_a_stage_with_several_upstreams_loses_only_the_one_that_is_rerouted(kind: str) -> None:
    """91_complex_reroute."""
    base = merging_of(kind)

    class One(base):  # type: ignore[misc, valid-type]
        reroutes: ClassVar = {"producer_a": ["a_only"]}

    assert results_of(base) == A_ONLY + MERGED
    assert results_of(One) == A_ONLY + MERGED[3:]


@in_quick_kinds
def test_what_a_reroute_cuts_off_is_left_out_and_the_plan_says_so(kind: str) -> None:
    """91_complex_reroute."""

    class Both(merging_of(kind)):  # type: ignore[misc]
        reroutes: ClassVar = {"producer_a": ["collect"], "producer_b": ["collect"]}

    job = Both()
    assert results_of(Both) == [("nobody", value) for value in (1, 2, 3, 4, 5, 6)]
    for cut_off in ("merger", "a_only"):
        assert f"stage {cut_off!r} is left out" in job.pipe.plan().explain()
    assert list(job.run().stages) == ["producer_a", "producer_b", "collect"]


def mixed_of(kind: str) -> type[Job]:
    """Threads, then workers of a kind, then forks."""

    class Mixed(Job):
        @producer
        def generate(self) -> Iterator[int]:
            yield from range(1, 7)

        @processor(execution="thread", workers=2)
        def add_ten(self, number: int) -> int:
            return number + 10

        @processor(**where(kind))
        def multiply_two(self, number: int) -> int:
            return number * 2

        @consumer(**where(kind))
        def collect(self, number: int) -> int:
            return number

    return Mixed


@in_quick_kinds
def test_stages_of_several_kinds_are_skipped(kind: str) -> None:
    """94_reroute_mixed_executors."""
    base = mixed_of(kind)

    class WithoutThreads(base):  # type: ignore[misc, valid-type]
        reroutes: ClassVar = {"generate": ["multiply_two"]}

    class WithoutWorkers(base):  # type: ignore[misc, valid-type]
        reroutes: ClassVar = {"add_ten": ["collect"]}

    assert results_of(base) == [22, 24, 26, 28, 30, 32]
    assert results_of(WithoutThreads) == [2, 4, 6, 8, 10, 12]
    assert results_of(WithoutWorkers) == [11, 12, 13, 14, 15, 16]


@in_quick_kinds
def test_stages_of_several_kinds_are_turned_round(kind: str) -> None:
    """94_reroute_mixed_executors."""

    class Reversed(mixed_of(kind)):  # type: ignore[misc]
        reroutes: ClassVar = {
            "generate": ["subtract_five"],
            "subtract_five": ["multiply_two"],
            "multiply_two": ["add_ten"],
            "add_ten": ["collect"],
        }

        @processor(**where(kind))
        def subtract_five(self, number: int) -> int:
            return number - 5

    assert results_of(Reversed) == [2, 4, 6, 8, 10, 12]


@in_quick_processes
def test_stages_inside_a_block_are_reached_by_reroutes(kind: str) -> None:
    """95_reroute_to_inner_fork_stages."""

    class Base(Job):
        @producer
        def generate(self) -> Iterator[int]:
            yield from range(1, 7)

        @processor
        def filter_even(self, number: int) -> int | None:
            return number if number % 2 == 0 else None

        @processor(**where(kind))
        def process_a(self, number: int) -> int:
            return number * 10

        @consumer(to="collect_a", **where(kind))
        def collect_b(self, number: int) -> tuple[str, int]:
            return "b", number

        @consumer(execution="cow_fork", workers=2)
        def collect_a(self, item: Any) -> Any:
            return item if isinstance(item, tuple) else ("a", item)

    class Directly(Base):
        reroutes: ClassVar = {"generate": ["process_a"]}

    class ToForks(Base):
        reroutes: ClassVar = {"process_a": ["collect_a"]}

    class ThroughThreads(Base):
        reroutes: ClassVar = {
            "generate": ["process_a"],
            "process_a": ["transform"],
            "transform": ["collect_b"],
        }

        @processor(execution="thread", workers=2)
        def transform(self, number: int) -> int:
            return number + 100

    assert results_of(Base) == [("b", value) for value in (20, 40, 60)]
    assert results_of(Directly) == [("b", value) for value in (10, 20, 30, 40, 50, 60)]
    assert results_of(ToForks) == [("a", value) for value in (20, 40, 60)]
    assert results_of(ThroughThreads) == [("b", value) for value in range(110, 170, 10)]


def fan_out_of(kind: str) -> type[Job]:
    """A splitter in threads, and a consumer in workers for each third of the items."""

    class FanOut(Job):
        @producer
        def generate(self) -> Iterator[int]:
            yield from range(1, 10)

        @processor(execution="thread", workers=2, routes=["process_a", "process_b", "process_c"])
        def splitter(self, number: int) -> To[int]:
            return To(["process_a", "process_b", "process_c"][number % 3], number)

        @consumer(**where(kind))
        def process_a(self, number: int) -> tuple[str, int]:
            return "a", number * 2

        @consumer(**where(kind))
        def process_b(self, number: int) -> tuple[str, int]:
            return "b", number * 3

        @consumer(**where(kind))
        def process_c(self, number: int) -> tuple[str, int]:
            return "c", number * 4

    return FanOut


@in_quick_kinds
def test_a_fan_out_to_workers_is_collapsed_to_one_branch(kind: str) -> None:
    """96_reroute_fork_fan_patterns."""
    base = fan_out_of(kind)

    class Collapsed(base):  # type: ignore[misc, valid-type]
        reroutes: ClassVar = {"generate": ["process_a"]}

    assert results_of(base) == [
        *(("a", number * 2) for number in (3, 6, 9)),
        *(("b", number * 3) for number in (1, 4, 7)),
        *(("c", number * 4) for number in (2, 5, 8)),
    ]
    assert results_of(Collapsed) == [("a", number * 2) for number in range(1, 10)]


@in_quick_kinds
def test_a_fan_out_to_workers_gets_other_branches(kind: str) -> None:
    """96_reroute_fork_fan_patterns."""

    class Changed(fan_out_of(kind)):  # type: ignore[misc]
        reroutes: ClassVar = {"generate": ["process_a", "process_d"]}

        @consumer(**where(kind))
        def process_d(self, number: int) -> tuple[str, int]:
            return "d", number * 5

    assert results_of(Changed) == [
        *(("a", number * 2) for number in range(1, 10)),
        *(("d", number * 5) for number in range(1, 10)),
    ]


@in_quick_kinds
def test_a_fan_in_gives_up_one_of_its_producers(kind: str) -> None:
    """96_reroute_fork_fan_patterns."""

    class FanIn(Job):
        @producer(to="aggregator")
        def producer_a(self) -> Iterator[str]:
            yield from ("A1", "A2", "A3")

        @producer(to="aggregator")
        def producer_b(self) -> Iterator[str]:
            yield from ("B1", "B2", "B3")

        @producer(to="aggregator")
        def producer_c(self) -> Iterator[str]:
            yield from ("C1", "C2", "C3")

        @consumer(**where(kind))
        def aggregator(self, name: str) -> tuple[str, str]:
            return "together", name

    class Reduced(FanIn):
        reroutes: ClassVar = {"producer_a": ["consumer_a"]}

        @consumer(**where(kind))
        def consumer_a(self, name: str) -> tuple[str, str]:
            return "separate", name

    names = [letter + number for letter in "ABC" for number in "123"]
    assert results_of(FanIn) == [("together", name) for name in names]
    assert results_of(Reduced) == [
        *(("separate", name) for name in names[:3]),
        *(("together", name) for name in names[3:]),
    ]
