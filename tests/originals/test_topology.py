"""Chains, fans and joins: the starred programs of the original's section on topology."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from minigun_py import Stage
from originals.kinds import in_every_kind, in_quick_kinds, pipeline, where

Sorted = dict[str, list[Any]]


def by_branch(outputs: list[tuple[str, Any]]) -> Sorted:
    """Values in order, by the branch that gave them."""
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for branch, value in outputs:
        found[branch].append(value)
    return {branch: sorted(values) for branch, values in found.items()}


@in_every_kind
def test_items_pass_from_a_producer_through_a_processor_to_a_consumer(kind: str) -> None:
    """00_quick_start."""
    collected: list[int] = []
    pipe = pipeline(kind)

    @pipe.producer
    def generate() -> Iterator[int]:
        yield from range(10)

    @pipe.processor
    def transform(number: int) -> int:
        return number * 2

    @pipe.consumer
    def collect(number: int) -> None:
        collected.append(number)

    pipe.run()
    assert sorted(collected) == list(range(0, 20, 2))


@in_every_kind
def test_stages_written_as_classes_emit_what_they_yield(kind: str) -> None:
    """00_quick_start_yield."""

    class NumberGenerator:
        def __call__(self) -> Iterator[int]:
            yield from range(10)

    class Doubler(Stage):
        def process(self, item: int) -> Iterator[int]:
            yield item * 2

    pipe = pipeline(kind)
    pipe.producer(NumberGenerator(), name="generate")
    pipe.add(Doubler(), name="transform", **where(kind))
    assert sorted(pipe.collect()) == list(range(0, 20, 2))


@in_quick_kinds
def test_stages_that_say_nothing_feed_each_other_in_order_of_definition(kind: str) -> None:
    """01_sequential_default."""
    collected: list[int] = []
    pipe = pipeline(kind)

    @pipe.producer
    def generate() -> Iterator[int]:
        yield from (1, 2, 3)

    @pipe.processor
    def double(number: int) -> int:
        return number * 2

    @pipe.processor
    def add_ten(number: int) -> int:
        return number + 10

    pipe.consumer(collected.append, name="collect")
    pipe.run()
    assert sorted(collected) == [12, 14, 16]


@in_every_kind
def test_a_diamond_brings_both_of_its_paths_together(kind: str) -> None:
    """02_diamond_pattern."""
    merged: list[tuple[str, int]] = []
    pipe = pipeline(kind)

    @pipe.producer(to=["path_a", "path_b"])
    def source() -> Iterator[int]:
        yield from range(1, 6)

    @pipe.processor(to="merge")
    def path_a(number: int) -> tuple[str, int]:
        return "a", number * 2

    @pipe.processor(to="merge")
    def path_b(number: int) -> tuple[str, int]:
        return "b", number * 3

    pipe.consumer(merged.append, name="merge")
    report = pipe.run()
    assert by_branch(merged) == {"a": [2, 4, 6, 8, 10], "b": [3, 6, 9, 12, 15]}
    assert report["merge"].received == 10


@in_quick_kinds
def test_a_fan_out_gives_every_item_to_every_sink(kind: str) -> None:
    """03_fan_out_pattern."""
    users = ["Alice", "Bob", "Charlie", "Diana", "Eve", "Frank", "Grace", "Hank"]
    pipe = pipeline(kind)

    @pipe.producer(to=["email_sender", "sms_sender", "push_sender"])
    def generate_notifications() -> Iterator[str]:
        yield from users

    @pipe.consumer(**where(kind))
    def email_sender(user: str) -> tuple[str, str]:
        return "email", user

    @pipe.consumer(**where(kind))
    def sms_sender(user: str) -> tuple[str, str]:
        return "sms", user

    @pipe.consumer(**where(kind))
    def push_sender(user: str) -> tuple[str, str]:
        return "push", user

    assert by_branch(pipe.collect()) == dict.fromkeys(("email", "sms", "push"), users)


@in_every_kind
def test_fan_outs_follow_each_other_and_a_filter_stops_what_it_returns_nothing_for(
    kind: str,
) -> None:
    """04_complex_routing."""
    pipe = pipeline(kind)

    @pipe.producer(to=["validate", "log"])
    def fetch() -> Iterator[int]:
        yield from range(1, 11)

    @pipe.processor(to=["transform", "archive"])
    def validate(number: int) -> int | None:
        return number if number % 2 == 0 else None

    @pipe.processor(to="store")
    def transform(number: int) -> int:
        return number * 10

    @pipe.consumer
    def store(number: int) -> tuple[str, int]:
        return "stored", number

    @pipe.consumer
    def archive(number: int) -> tuple[str, int]:
        return "archived", number

    @pipe.consumer
    def log(number: int) -> tuple[str, int]:
        return "logged", number

    with pipe.stream() as outputs:
        assert by_branch(list(outputs)) == {
            "logged": list(range(1, 11)),
            "archived": [2, 4, 6, 8, 10],
            "stored": [20, 40, 60, 80, 100],
        }
    validated, transformed = outputs.report["validate"], outputs.report["transform"]
    assert (validated.received, validated.completed, validated.filtered) == (10, 5, 5)
    assert transformed.emitted == 5


@in_quick_kinds
def test_explicit_and_implicit_edges_mix(kind: str) -> None:
    """16_mixed_routing, 99_test_mixed."""
    final: list[int] = []
    pipe = pipeline(kind)

    @pipe.producer(to=["path_a", "path_b"])
    def generate() -> Iterator[int]:
        yield from range(3)

    @pipe.processor(to="collect")
    def path_a(number: int) -> int:
        return number * 10

    @pipe.processor
    def path_b(number: int) -> int:
        return number * 100

    @pipe.processor(to="collect")
    def transform(number: int) -> int:
        return number + 1

    pipe.consumer(final.append, name="collect")
    report = pipe.run()
    assert sorted(final) == [0, 1, 10, 20, 101, 201]
    assert (report["path_a"].received, report["path_b"].received) == (3, 3)


@in_quick_kinds
def test_several_producers_share_a_processor(kind: str) -> None:
    """25_multiple_producers."""
    pipe = pipeline(kind)

    @pipe.producer
    def api_source() -> Iterator[tuple[str, int]]:
        yield from (("api", number) for number in range(10))

    @pipe.producer
    def db_source() -> Iterator[tuple[str, int]]:
        yield from (("database", number) for number in range(100, 105))

    @pipe.producer
    def file_source() -> Iterator[tuple[str, int]]:
        yield from (("file", number) for number in range(200, 203))

    @pipe.processor
    def enrich(record: tuple[str, int]) -> tuple[str, tuple[int, bool]]:
        source, number = record
        return source, (number, True)

    records: list[Any] = []
    pipe.consumer(records.append, name="collect")
    report = pipe.run()
    assert by_branch(records) == {
        "api": [(number, True) for number in range(10)],
        "database": [(number, True) for number in range(100, 105)],
        "file": [(number, True) for number in range(200, 203)],
    }
    sources = ("api_source", "db_source", "file_source")
    assert [report[name].emitted for name in sources] == [10, 5, 3]


@in_quick_kinds
def test_a_broadcast_is_seen_whole_by_every_branch(kind: str) -> None:
    """28_broadcast_fan_out, 130_broadcast_routing."""
    pipe = pipeline(kind)

    @pipe.producer(to=["validate", "transform", "analyze"], routing="broadcast")
    def data_source() -> Iterator[int]:
        yield from range(3)

    @pipe.consumer(**where(kind))
    def validate(number: int) -> tuple[str, Any]:
        return "validation", (number, True)

    @pipe.consumer(**where(kind))
    def transform(number: int) -> tuple[str, Any]:
        return "transform", (number, number * 10 * 2)

    @pipe.consumer(**where(kind))
    def analyze(number: int) -> tuple[str, Any]:
        return "analysis", (number, "high" if number * 10 > 10 else "low")

    outputs = pipe.collect()
    assert len(outputs) == 9
    assert by_branch(outputs) == {
        "validation": [(0, True), (1, True), (2, True)],
        "transform": [(0, 0), (1, 20), (2, 40)],
        "analysis": [(0, "low"), (1, "low"), (2, "high")],
    }
