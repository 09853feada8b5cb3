"""What crosses from process to process, and back: with the marks of the workers that it met."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from itertools import product
from typing import Any

from contract.gate import Gate
from minigun_py import Job, Pipeline, To, consumer, processor, producer
from originals.kinds import (
    PROCESSES,
    SINGLY,
    in_other_memory,
    in_pairs_of_kinds,
    where,
)
from originals.marks import here

Item = dict[str, Any]
AWAY = (*PROCESSES, "subinterpreter")


def elsewhere(marks: Any) -> bool:
    """Whether none of these workers is the test itself."""
    return all(mark[:2] != (os.getpid(), threading.get_ident()) for mark in marks)


@in_other_memory
def test_a_default_of_the_class_says_where_its_processors_run(kind: str) -> None:
    """66_cow_and_ipc_fork_executors."""

    class Shared(Job):
        execution = kind
        workers = 2

        def __init__(self) -> None:
            self.shared = [number * 2 for number in range(1000)]
            self.results: list[tuple[int, int, int, Any]] = []

        @producer
        def generate(self) -> Iterator[int]:
            yield from range(5)

        @processor
        def work(self, number: int) -> tuple[int, int, int, Any]:
            return number, sum(self.shared[:100]), (number * 10) ** 2, here()

        @consumer
        def collect(self, result: tuple[int, int, int, Any]) -> None:
            self.results.append(result)

    job = Shared()
    job.run()
    assert sorted(result[:3] for result in job.results) == [
        (number, 9900, (10 * number) ** 2) for number in range(5)
    ]
    assert elsewhere(result[3] for result in job.results)


@in_other_memory
def test_threads_feed_a_sink_in_other_workers(kind: str, gate: Gate) -> None:
    """70_thread_to_ipc_fork, 72_thread_to_cow_fork."""
    pipe = Pipeline("sink")

    @pipe.processor(execution="thread", workers=3)
    def enrich(number: int) -> Item:
        return {"id": number, "enriched_in": os.getpid()}

    @pipe.consumer(**where(kind, workers=2))
    def save(item: Item) -> Item:
        gate.pass_through()
        return item | {"mark": here()}

    with pipe.stream(range(1, 11)) as outputs:
        gate.wait_for(2)  # two workers, at once
        gate.let_go(10)
        results = list(outputs)
    assert sorted(item["id"] for item in results) == list(range(1, 11))
    assert {item["enriched_in"] for item in results} == {os.getpid()}
    marks = {item["mark"] for item in results}
    assert elsewhere(marks)
    assert len(marks) == (10 if kind == SINGLY else 2)


@in_other_memory
def test_items_come_back_from_other_workers_to_threads(kind: str) -> None:
    """71_thread_ipc_thread_passthrough, 73_thread_cow_thread_passthrough."""
    pipe = Pipeline("there and back")

    @pipe.processor(execution="thread", workers=2)
    def enrich(number: int) -> Item:
        return {"id": number, "value": number * 10, "enriched": True}

    @pipe.processor(**where(kind))
    def heavy_compute(item: Item) -> Item:
        return item | {"computed": item["value"] ** 2, "worker": here()}

    @pipe.consumer(execution="thread", workers=2)
    def collect(item: Item) -> Item:
        return item | {"collected_in": os.getpid()}

    results = sorted(pipe.collect(range(1, 9)), key=lambda item: item["id"])
    assert [(item["id"], item["computed"]) for item in results] == [
        (number, (number * 10) ** 2) for number in range(1, 9)
    ]
    assert all(item["enriched"] and item["collected_in"] == os.getpid() for item in results)
    assert elsewhere(item["worker"] for item in results)


@in_pairs_of_kinds(*product(PROCESSES, repeat=2), ("subinterpreter", "subinterpreter"))
def test_workers_feed_other_workers(first: str, second: str) -> None:
    """74_ipc_to_ipc_fork, 75_ipc_to_cow_fork, 76_cow_to_ipc_fork, 77_cow_to_cow_fork."""
    pipe = Pipeline("two stages")

    @pipe.processor(**where(first))
    def stage1(number: int) -> Item:
        return {"id": number, "value": number * 10, "stage1": here()}

    @pipe.processor(**where(second))
    def stage2(item: Item) -> Item:
        return item | {"value": item["value"] + 5, "stage2": here()}

    results = sorted(pipe.collect(range(1, 9)), key=lambda item: item["id"])
    assert [item["value"] for item in results] == [number * 10 + 5 for number in range(1, 9)]
    marks = [{item[stage] for item in results} for stage in ("stage1", "stage2")]
    assert elsewhere(marks[0] | marks[1])
    if "subinterpreter" not in (first, second):
        pids = [{pid for pid, _, _ in found} for found in marks]
        assert not pids[0] & pids[1]


@in_other_memory
def test_the_program_sends_each_item_to_the_workers_it_is_for(kind: str) -> None:
    """78_master_to_ipc_via_to, 79_master_to_cow_via_to."""
    pipe = Pipeline("via to")

    @pipe.producer(routes=["process_a", "process_b"])
    def generate() -> Iterator[To[int]]:
        for number in range(1, 11):
            yield To("process_b" if number % 2 else "process_a", number)

    for name in ("process_a", "process_b"):

        @pipe.consumer(name=name, **where(kind))
        def process(number: int, name: str = name) -> tuple[str, int, Any]:
            return name, number, here()

    results = pipe.collect()
    assert sorted((name, number) for name, number, _ in results) == [
        *(("process_a", number) for number in (2, 4, 6, 8, 10)),
        *(("process_b", number) for number in (1, 3, 5, 7, 9)),
    ]
    assert elsewhere(mark for _, _, mark in results)


@in_other_memory
def test_workers_send_each_item_to_the_workers_it_is_for(kind: str) -> None:
    """80_ipc_fan_out, 82_cow_fan_out."""
    targets = ["process_a", "process_b", "process_c"]
    pipe = Pipeline("fan out")

    @pipe.processor(routes=targets, **where(kind))
    def splitter(number: int) -> To[tuple[int, Any]]:
        return To(targets[number % 3], (number, here()))

    for target in targets:

        @pipe.consumer(name=target, **where(kind, workers=1))
        def process(item: tuple[int, Any], target: str = target) -> tuple[str, int, Any, Any]:
            return target, *item, here()

    results = pipe.collect(range(1, 13))
    assert sorted((name, number) for name, number, _, _ in results) == [
        *(("process_a", number) for number in (3, 6, 9, 12)),
        *(("process_b", number) for number in (1, 4, 7, 10)),
        *(("process_c", number) for number in (2, 5, 8, 11)),
    ]
    split, processed = ({result[place] for result in results} for place in (2, 3))
    assert elsewhere(split | processed)
    if kind == SINGLY:
        assert (len(split), len(processed)) == (12, 12)


def test_threads_send_to_persistent_and_to_fresh_forks() -> None:
    """84_mixed_ipc_cow_fan_out."""
    targets = {"ipc_a": "fork", "cow_b": "cow_fork", "ipc_c": "fork"}
    pipe = Pipeline("mixed")

    @pipe.processor(execution="thread", workers=2, routes=list(targets))
    def splitter(number: int) -> To[int]:
        return To(["ipc_a", "cow_b", "ipc_c"][number % 3], number)

    for target, kind in targets.items():

        @pipe.consumer(name=target, execution=kind)
        def process(number: int, target: str = target) -> tuple[str, int, int]:
            return target, number, os.getpid()

    results = pipe.collect(range(1, 13))
    pids = {}
    for place, target in enumerate(targets):
        mine = [(number, pid) for name, number, pid in results if name == target]
        assert sorted(number for number, _ in mine) == [n for n in range(1, 13) if n % 3 == place]
        pids[target] = {pid for _, pid in mine}
    assert {target: len(found) for target, found in pids.items()} == {
        "ipc_a": 1,
        "cow_b": 4,
        "ipc_c": 1,
    }
    assert len(set().union(*pids.values(), {os.getpid()})) == 7


@in_other_memory
def test_workers_gather_what_three_producers_give(kind: str) -> None:
    """81_ipc_fan_in, 83_cow_fan_in."""
    pipe = Pipeline("fan in")
    for letter in "ABC":
        pipe.source([(letter, number) for number in range(4)], name=letter, to="aggregator")

    @pipe.consumer(**where(kind))
    def aggregator(item: tuple[str, int]) -> tuple[tuple[str, int], Any]:
        return item, here()

    results = pipe.collect()
    assert sorted(item for item, _ in results) == list(product("ABC", range(4)))
    assert elsewhere(mark for _, mark in results)


def test_threads_gather_what_forks_of_both_sorts_give() -> None:
    """85_mixed_ipc_cow_fan_in."""
    pipe = Pipeline("mixed fan in")
    for name, kind in (("ipc_a", "fork"), ("cow_b", "cow_fork"), ("ipc_c", "fork")):
        pipe.source([(name, number) for number in range(4)], name=f"source_{name}", to=name)

        @pipe.processor(name=name, execution=kind, to="aggregator")
        def relay(item: tuple[str, int]) -> tuple[tuple[str, int], int]:
            return item, os.getpid()

    @pipe.consumer(execution="thread", workers=2)
    def aggregator(item: tuple[tuple[str, int], int]) -> Any:
        return (*item, os.getpid())

    results = pipe.collect()
    assert sorted(item for item, _, _ in results) == sorted(
        product(("ipc_a", "cow_b", "ipc_c"), range(4))
    )
    pids = {
        name: {pid for (source, _), pid, _ in results if source == name}
        for name in ("ipc_a", "cow_b", "ipc_c")
    }
    assert [len(found) for found in pids.values()] == [1, 4, 1]
    assert len(set().union(*pids.values())) == 6
    assert {pid for _, _, pid in results} == {os.getpid()}


@in_pairs_of_kinds(
    ("fork", "cow_fork"), ("cow_fork", "fork"), ("process", "fork"), ("fork", "process")
)
def test_a_worker_runs_a_pipeline_with_workers_of_its_own(first: str, second: str) -> None:
    """86_ipc_spawns_nested_cow, 87_cow_spawns_nested_ipc."""
    pipe = Pipeline("outer")

    @pipe.processor(**where(first))
    def spread(batch: list[int]) -> Iterator[tuple[int, int, int]]:
        inner = Pipeline("inner")

        @inner.processor(**where(second))
        def work(number: int) -> tuple[int, int]:
            return number, os.getpid()

        for number, pid in inner.collect(batch):
            yield number, os.getpid(), pid

    results = pipe.collect([[3 * n + 1, 3 * n + 2, 3 * n + 3] for n in range(4)])
    assert sorted(number for number, _, _ in results) == list(range(1, 13))
    outer, inner = ({result[place] for result in results} for place in (1, 2))
    assert outer
    assert inner
    assert not outer & inner
    assert os.getpid() not in outer | inner
    if first == SINGLY:
        assert len(outer) == 4
    if second == SINGLY:
        assert len(inner) == 12


def test_an_item_passes_through_contexts_of_every_sort() -> None:
    """88_complex_multi_hop_routing: inline, threads, fork, cow_fork, threads, inline."""
    pipe = Pipeline("multi hop")

    @pipe.producer
    def generate() -> Iterator[Item]:
        yield from ({"id": number, "value": number} for number in range(1, 9))

    @pipe.processor(execution="thread", workers=2)
    def validate(item: Item) -> Item:
        return item | {"validator": (os.getpid(), threading.get_ident())}

    @pipe.processor(execution="fork", workers=2)
    def heavy_compute(item: Item) -> Item:
        return item | {"compute_pid": os.getpid(), "computed": item["value"] ** 2}

    @pipe.processor(execution="cow_fork", workers=2)
    def transform(item: Item) -> Item:
        return item | {"transform_pid": os.getpid(), "transformed": item["computed"] + 100}

    @pipe.processor(execution="thread", workers=2)
    def aggregate(item: Item) -> Item:
        return item | {"aggregator": (os.getpid(), threading.get_ident())}

    results: list[Item] = []
    pipe.consumer(results.append, name="collect")
    pipe.run()
    found = {item["id"]: (item["computed"], item["transformed"]) for item in results}
    assert found == {number: (number**2, number**2 + 100) for number in range(1, 9)}
    assert {item[name][0] for item in results for name in ("validator", "aggregator")} == {
        os.getpid()
    }
    computed, transformed = (
        {item[name] for item in results} for name in ("compute_pid", "transform_pid")
    )
    assert not computed & transformed
    assert os.getpid() not in computed | transformed
    assert len(transformed) == 8
    assert 1 <= len(computed) <= 2
