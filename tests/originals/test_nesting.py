"""Pipelines within pipelines, and the names by which their stages are found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from minigun_py import Pipeline, To, UsageError
from originals.kinds import in_every_kind, in_quick_kinds, pipeline

Item = dict[str, Any]


@in_quick_kinds
def test_what_a_pipeline_emits_flows_on_to_the_next_one(kind: str) -> None:
    """05_multi_pipeline_simple, 000_new_dsl."""
    results: list[int] = []
    pipe = pipeline(kind)
    with pipe.pipeline("generator", to="processor") as generator:

        @generator.producer
        def generate() -> Iterator[int]:
            yield from range(1, 6)

        @generator.consumer(name="output")
        def pass_on(number: int) -> int:
            return number

    with pipe.pipeline("processor", to="collector") as processor:

        @processor.processor
        def double(number: int) -> int:
            return number * 2

        @processor.consumer(name="output")
        def pass_doubled(number: int) -> int:
            return number

    with pipe.pipeline("collector") as collector:
        collector.consumer(results.append, name="collect")

    pipe.run()
    assert sorted(results) == [2, 4, 6, 8, 10]


@in_quick_kinds
def test_a_pipeline_feeds_several_others(kind: str) -> None:
    """06_multi_pipeline_etl."""
    loaded: dict[str, list[Item]] = {"db": [], "cache": []}
    pipe = pipeline(kind)
    with pipe.pipeline("extract", to="transform") as extract:

        @extract.producer
        def fetch_data() -> Iterator[Item]:
            yield from ({"id": number, "value": number * 10} for number in range(5))

        @extract.consumer(name="output")
        def extracted(item: Item) -> Item:
            return item

    with pipe.pipeline("transform", to=["load_db", "load_cache"]) as transform:

        @transform.processor
        def clean(item: Item) -> Item:
            return item | {"cleaned": True}

        @transform.processor
        def enrich(item: Item) -> Item:
            return item | {"enriched_at": item["value"] + 1}

        @transform.consumer(name="output")
        def transformed(item: Item) -> Item:
            return item

    with pipe.pipeline("load_db") as load_db:
        load_db.consumer(loaded["db"].append, name="save")
    with pipe.pipeline("load_cache") as load_cache:
        load_cache.consumer(loaded["cache"].append, name="save")

    report = pipe.run()
    outputs = ("extract.output", "transform.output", "load_db.save", "load_cache.save")
    assert [report[name].received for name in outputs] == [5, 5, 5, 5]
    for items in loaded.values():
        assert sorted(items, key=lambda item: item["id"]) == [
            {"id": n, "value": n * 10, "cleaned": True, "enriched_at": n * 10 + 1} for n in range(5)
        ]


@in_every_kind
def test_an_item_is_sent_to_the_pipeline_that_it_belongs_to(kind: str) -> None:
    """07_multi_pipeline_data_processing."""
    done: dict[str, list[int]] = {"ingested": [], "valid": [], "fast": [], "slow": []}
    pipe = pipeline(kind)
    with pipe.pipeline("ingest", to="validate") as ingest:

        @ingest.producer
        def receive_data() -> Iterator[Item]:
            for number in range(10):
                yield {"id": number, "urgent": number % 3 == 0, "valid": number % 4 != 0}

        @ingest.consumer
        def track(item: Item) -> Item:
            done["ingested"].append(item["id"])
            return item

    with pipe.pipeline("validate") as validate:

        @validate.processor
        def check_validity(item: Item) -> Item | None:
            return item if item["valid"] else None

        @validate.consumer(routes=["process_fast", "process_slow"])
        def prioritize(item: Item) -> To[Item]:
            done["valid"].append(item["id"])
            return To("process_fast" if item["urgent"] else "process_slow", item)

    for lane in ("fast", "slow"):
        with pipe.pipeline(f"process_{lane}") as process:

            @process.processor(name="transform")
            def transform(item: Item, lane: str = lane) -> Item:
                return item | {"processed_by": lane}

            @process.consumer
            def complete(item: Item) -> None:
                done[item["processed_by"]].append(item["id"])

    report = pipe.run()
    assert {name: sorted(ids) for name, ids in done.items()} == {
        "ingested": list(range(10)),
        "valid": [1, 2, 3, 5, 6, 7, 9],
        "fast": [3, 6, 9],
        "slow": [1, 2, 5, 7],
    }
    assert report["validate.check_validity"].filtered == 3


@in_quick_kinds
def test_a_nested_pipeline_stands_in_line_as_a_stage_does(kind: str) -> None:
    """08_nested_pipeline_simple."""
    results: list[int] = []
    pipe = pipeline(kind)

    @pipe.producer
    def start() -> Iterator[int]:
        yield from range(1, 6)

    with pipe.pipeline("transform_sub") as sub:

        @sub.processor
        def double(number: int) -> int:
            return number * 2

        @sub.processor
        def add_ten(number: int) -> int:
            return number + 10

    pipe.consumer(results.append, name="collect")
    pipe.run()
    assert sorted(results) == [12, 14, 16, 18, 20]


@in_every_kind
def test_what_comes_from_outside_joins_what_a_nested_pipeline_produces(kind: str) -> None:
    """26_multi_pipeline_with_producers."""
    results: list[tuple[str, int, bool]] = []
    pipe = pipeline(kind)
    with pipe.pipeline("pipeline_a", to="pipeline_b") as a:

        @a.producer
        def source_x() -> Iterator[int]:
            yield from (0, 10, 20)

        @a.processor
        def process_x(value: int) -> tuple[str, int, bool]:
            return "x", value, True

    with pipe.pipeline("pipeline_b") as b:

        @b.producer
        def source_y() -> Iterator[tuple[str, int, bool]]:
            yield from (("y", value, False) for value in (0, 20))

        @b.producer
        def source_z() -> Iterator[tuple[str, int, bool]]:
            yield from (("z", value, False) for value in (0, 30))

        b.consumer(results.append, name="collect_all")

    pipe.run()
    through_a = [("x", 0, True), ("x", 10, True), ("x", 20, True)]
    native = [("y", 0, False), ("y", 20, False), ("z", 0, False), ("z", 30, False)]
    assert sorted(results) == through_a + native


@in_quick_kinds
def test_all_ends_of_a_nested_pipeline_flow_on(kind: str) -> None:
    """64_pipeline_exit_fan_out."""
    results: list[tuple[str, int]] = []
    pipe = pipeline(kind)
    with pipe.pipeline("processor", to="collector") as processor:

        @processor.producer
        def generate() -> Iterator[int]:
            yield from range(1, 6)

        @processor.processor(from_="generate")
        def even_filter(number: int) -> tuple[str, int] | None:
            return ("even", number) if number % 2 == 0 else None

        @processor.processor(from_="generate")
        def odd_filter(number: int) -> tuple[str, int] | None:
            return ("odd", number) if number % 2 else None

        @processor.processor(from_="generate")
        def all_logger(number: int) -> tuple[str, int]:
            return "all", number

    with pipe.pipeline("collector") as collector:
        collector.consumer(results.append, name="collect")

    pipe.run()
    assert sorted(results) == [
        *(("all", number) for number in (1, 2, 3, 4, 5)),
        *(("even", number) for number in (2, 4)),
        *(("odd", number) for number in (1, 3, 5)),
    ]


@in_quick_kinds
def test_every_exit_reaches_every_entrance(kind: str) -> None:
    """65_pipeline_exit_to_entrance_fan_out."""
    operations = {"x": lambda n: n + 10, "y": lambda n: n * 2, "z": lambda n: n**2}
    results: dict[str, list[tuple[str, int]]] = {name: [] for name in operations}
    everywhere = [f"processor_{name}" for name in operations]
    pipe = pipeline(kind)
    for name, numbers in (("a", (2, 4, 6)), ("b", (1, 3, 5))):
        with pipe.pipeline(f"source_{name}", to=everywhere) as source:
            source.source([(name, number) for number in numbers])
    for name, operation in operations.items():
        with pipe.pipeline(f"processor_{name}") as processor:

            @processor.processor
            def work(item: tuple[str, int], operation: Any = operation) -> tuple[str, int]:
                return item[0], operation(item[1])

            processor.consumer(results[name].append, name="collect")

    pipe.run()
    assert {name: sorted(found) for name, found in results.items()} == {
        "x": [("a", 12), ("a", 14), ("a", 16), ("b", 11), ("b", 13), ("b", 15)],
        "y": [("a", 4), ("a", 8), ("a", 12), ("b", 2), ("b", 6), ("b", 10)],
        "z": [("a", 4), ("a", 16), ("a", 36), ("b", 1), ("b", 9), ("b", 25)],
    }


def test_a_name_twice_in_one_pipeline_is_refused_where_it_is_declared() -> None:
    """67_stage_name_conflict."""
    pipe = Pipeline("conflicting")
    pipe.source([1], name="duplicated")
    with pytest.raises(UsageError, match=r"'duplicated'.*has the name of"):
        pipe.consumer(print, name="duplicated")


@in_quick_kinds
def test_a_name_may_stand_once_in_each_of_several_pipelines(kind: str) -> None:
    """67_stage_name_conflict."""
    results: list[str] = []
    pipe = pipeline(kind)
    for name, first in (("p1", 1), ("p2", 10)):
        with pipe.pipeline(name) as inner:
            inner.source(range(first, first + 3), name="generate")

            @inner.processor
            def label(number: int, name: str = name) -> str:
                return f"{name}:{number}"

            @inner.consumer
            def process(text: str) -> None:
                results.append(text)

    pipe.run()
    assert sorted(results) == ["p1:1", "p1:2", "p1:3", "p2:10", "p2:11", "p2:12"]


def test_a_name_that_two_nested_pipelines_have_is_ambiguous() -> None:
    """68_ambiguous_routing."""
    pipe = Pipeline("ambiguous")
    pipe.source([1], to="processor")
    for name in ("pipe1", "pipe2"):
        with pipe.pipeline(name) as inner:
            inner.consumer(print, name="processor")
    with pytest.raises(UsageError, match=r"ambiguous.*'pipe1\.processor' or 'pipe2\.processor'"):
        pipe.run()


def test_a_name_that_one_nested_pipeline_has_is_found_there() -> None:
    """68_ambiguous_routing."""
    results: dict[str, list[int]] = {"a": [], "b": []}
    pipe = Pipeline("unique")
    pipe.source([1], name="gen1", to="processor_a")
    pipe.source([2], name="gen2", to="processor_b")
    for name, found in results.items():
        with pipe.pipeline(f"pipe_{name}") as inner:
            inner.consumer(found.append, name=f"processor_{name}")
    pipe.run()
    assert results == {"a": [1], "b": [2]}


def test_a_name_in_the_same_pipeline_comes_before_one_below_it() -> None:
    """68_ambiguous_routing."""
    results: list[str] = []
    pipe = Pipeline("local")
    pipe.source([1], name="gen", to="processor")
    pipe.source([2], name="other", to="nested")
    pipe.consumer(lambda n: results.append(f"local:{n}"), name="processor")
    with pipe.pipeline("nested") as nested:
        nested.consumer(lambda n: results.append(f"nested:{n}"), name="processor")
    pipe.run()
    assert sorted(results) == ["local:1", "nested:2"]
