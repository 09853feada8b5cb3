"""Where stages run: one context each, pools of workers, blocks, and contexts with names."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import pytest

from contract.gate import Gate
from minigun_py import Pipeline
from originals.kinds import (
    PROCESSES,
    SINGLY,
    in_every_kind,
    in_kinds,
    in_other_memory,
    in_other_processes,
    in_quick_kinds,
    pipeline,
    where,
)
from originals.marks import here


@in_every_kind
def test_each_kind_doubles_what_it_gets(kind: str) -> None:
    """27_inline_execution, 27_execution_contexts."""
    pipe = pipeline(kind)
    pipe.processor(lambda number: number * 2, name="process")
    assert sorted(pipe.collect(range(5))) == [0, 2, 4, 6, 8]


def test_threads_are_threads_of_this_process() -> None:
    """27_thread_execution."""
    pipe = Pipeline("threads")

    @pipe.processor(execution="thread", workers=5)
    def process(number: int) -> tuple[int, int, int]:
        return number * 2, os.getpid(), threading.get_ident()

    outputs = pipe.collect(range(10))
    assert sorted(number for number, _, _ in outputs) == list(range(0, 20, 2))
    assert {pid for _, pid, _ in outputs} == {os.getpid()}
    assert threading.get_ident() not in {thread for _, _, thread in outputs}


@pytest.mark.filterwarnings("ignore:.*subinterpreter cannot run here:minigun_py.errors.PlanWarning")
def test_what_ruby_calls_a_ractor_squares_numbers() -> None:
    """27_ractor_execution."""
    pipe = Pipeline("ractors")
    pipe.processor(lambda number: number**2, name="process", execution="ractor", workers=2)
    assert sorted(pipe.collect(range(5))) == [0, 1, 4, 9, 16]
    assert pipe.plan().context_for("process") in ("subinterpreter", "fork")


@in_other_processes
def test_processes_are_other_processes(kind: str) -> None:
    """27_process_execution."""
    pipe = Pipeline("processes")
    pipe.source(range(3))
    pipe.batch(1)

    @pipe.processor(**where(kind))
    def process(batch: list[int]) -> Iterator[dict[str, int]]:
        for item in batch:
            yield {"item": item, "pid": os.getpid(), "result": item * 100}

    results = sorted(pipe.collect(), key=lambda result: result["item"])
    assert [result["result"] for result in results] == [0, 100, 200]
    pids = {result["pid"] for result in results}
    assert os.getpid() not in pids
    assert len(pids) == 3 if kind == SINGLY else 1 <= len(pids) <= 2


def double(number: int) -> int:
    return number * 2


def triple(number: int) -> int:
    return number * 3


def square(number: int) -> int:
    return number**2


POOLS = [
    pytest.param("thread", 3, 10, double, id="28_basic_pool-thread"),
    pytest.param("fork", 3, 10, double, id="28_basic_pool-fork"),
    pytest.param("process", 3, 10, double, id="28_basic_pool-process"),
    pytest.param("cow_fork", 2, 20, abs, id="28_capacity_pool-cow_fork"),
    pytest.param("thread", 2, 20, abs, id="28_capacity_pool-thread"),
    pytest.param("thread", 10, 50, double, id="28_parallel_pool-thread"),
    pytest.param("fork", 10, 50, double, id="28_parallel_pool-fork"),
    pytest.param("thread", 5, 10, triple, id="27_parallel_execution-thread"),
    pytest.param("cow_fork", 5, 10, triple, id="27_parallel_execution-cow_fork"),
    pytest.param("thread", 20, 100, square, id="28_bulk_pool-thread"),
]


@pytest.mark.parametrize(("kind", "workers", "items", "operation"), POOLS)
def test_a_pool_works_on_as_many_items_at_once_as_it_has_workers(
    kind: str, workers: int, items: int, operation: Callable[[int], int], gate: Gate
) -> None:
    pipe = Pipeline("pool")

    @pipe.processor(**where(kind, workers))
    def process(number: int) -> int:
        gate.pass_through()
        return operation(number)

    with pipe.stream(range(items)) as outputs:
        gate.wait_for(workers)  # all of them, at the same time
        assert gate.nobody_waits()  # and no other
        gate.let_go(items)
        assert sorted(outputs) == [operation(number) for number in range(items)]


@in_kinds("thread", *PROCESSES, "subinterpreter")
def test_a_pool_uses_its_workers_again(kind: str, gate: Gate) -> None:
    """28_reuse_pool: 20 items, three workers."""
    pipe = Pipeline("reuse")

    @pipe.processor(**where(kind, 3))
    def track(number: int) -> tuple[int, Any]:
        gate.pass_through()
        return number, here()

    with pipe.stream(range(20)) as outputs:
        gate.wait_for(3)
        gate.let_go(20)
        results = list(outputs)
    assert sorted(number for number, _ in results) == list(range(20))
    assert {worker for _, (_, _, worker) in results} == {1, 2, 3}
    assert len({mark for _, mark in results}) == (20 if kind == SINGLY else 3)


@in_quick_kinds
def test_words_are_upper_cased_by_five(kind: str) -> None:
    """28_batch_processor, 28_context_pool."""
    words = ["apple", "banana", "cherry", "date", "elderberry", "fig", "grape", "kiwi", "lemon"]
    pipe = pipeline(kind, workers=2)
    pipe.processor(lambda word: (word, word.upper()), name="process")
    with pipe.stream([*words, "melon"]) as outputs:
        assert sorted(outputs) == [(word, word.upper()) for word in (*words, "melon")]
    assert outputs.report["process"].completed == 10


@in_other_memory
def test_the_innermost_block_says_where_a_stage_runs(kind: str) -> None:
    """35_nested_contexts: 100 items, in batches of 20."""
    pipe = Pipeline("nested")
    pipe.source(range(100))
    with pipe.defaults(execution="thread", workers=50):

        @pipe.processor
        def download(number: int) -> tuple[str, int, int]:
            return f"downloaded-{number}", os.getpid(), threading.get_ident()

        @pipe.processor
        def validate(item: tuple[str, int, int]) -> tuple[str, int, bool]:
            text, pid, thread = item
            return text, pid, thread == threading.get_ident()

        pipe.batch(20)
        with pipe.defaults(execution=kind, workers=2):

            @pipe.consumer
            def process_batch(batch: list[Any]) -> tuple[list[str], set[int], Any]:
                assert all(together for _, _, together in batch)
                return [text.upper() for text, _, _ in batch], {pid for _, pid, _ in batch}, here()

    outputs = pipe.collect()
    assert [len(texts) for texts, _, _ in outputs] == [20] * 5
    texts = chain.from_iterable(texts for texts, _, _ in outputs)
    assert sorted(texts) == sorted(f"DOWNLOADED-{number}" for number in range(100))
    assert all(pids == {os.getpid()} for _, pids, _ in outputs)
    assert all(mark[:2] != (os.getpid(), threading.get_ident()) for _, _, mark in outputs)
    if kind in PROCESSES:
        assert os.getpid() not in {mark[0] for _, _, mark in outputs}
    plan = pipe.plan()
    assert plan.affinity_for("validate") == "download"
    assert plan.workers_for("download") == 50
    assert plan.context_for("batch") == "inline"


@in_other_memory
def test_blocks_nest_three_deep(kind: str) -> None:
    """35_nested_contexts: deep nesting."""
    pipe = Pipeline("deep")
    pipe.source(range(50))
    with pipe.defaults(execution="thread", workers=20):
        pipe.processor(lambda number: number * 2, name="fetch")
        pipe.batch(10)
        with pipe.defaults(workers=5):
            pipe.processor(lambda batch: [n + 100 for n in batch], name="parse_batch")
        pipe.rebatch(5)
        with pipe.defaults(execution=kind, workers=2):
            pipe.consumer(lambda batch: batch, name="final_process")
    outputs = pipe.collect()
    assert [len(batch) for batch in outputs] == [5] * 10
    assert sorted(chain.from_iterable(outputs)) == list(range(100, 200, 2))
    plan = pipe.plan()
    assert [plan.workers_for(name) for name in ("fetch", "parse_batch", "final_process")] == [
        20,
        5,
        2,
    ]


def comprehensive(kind: str, items: int, size: int, downloads: int, uploads: int) -> Pipeline:
    """Named contexts, blocks and batches in one pipeline."""
    pipe = Pipeline("comprehensive")
    pipe.context("db_pool", "thread", 5)
    pipe.context("cache_pool", "thread", 10)

    @pipe.producer
    def generate_urls() -> Iterator[dict[str, Any]]:
        for number in range(items):
            yield {"id": number, "url": f"https://api.example.com/item-{number}"}

    @pipe.processor(execution="cache_pool")
    def check_cache(item: dict[str, Any]) -> dict[str, Any]:
        return item | {"cached": False}

    with pipe.defaults(execution="thread", workers=downloads):

        @pipe.processor
        def download(item: dict[str, Any]) -> dict[str, Any]:
            return item | {"data": f"response-{item['id']}"}

        @pipe.processor
        def extract_metadata(item: dict[str, Any]) -> dict[str, Any]:
            return item | {"metadata": {"size": 1024}}

    pipe.batch(size)
    with pipe.defaults(**where(kind)):

        @pipe.processor
        def parse_batch(batch: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
            for item in batch:
                yield item | {"parsed": item["data"].upper(), "parsed_by": here()}

    @pipe.processor(execution="db_pool")
    def save_to_db(item: dict[str, Any]) -> dict[str, Any]:
        return item

    with pipe.defaults(execution="thread", workers=uploads):

        @pipe.consumer
        def upload(item: dict[str, Any]) -> dict[str, Any]:
            return item

    return pipe


@in_other_memory
def test_all_ways_of_saying_where_work_together(kind: str) -> None:
    """38_comprehensive_execution."""
    with comprehensive(kind, 200, 50, 50, 20).stream() as outputs:
        uploaded = list(outputs)
    report = outputs.report
    assert sorted(item["id"] for item in uploaded) == list(range(200))
    assert all(item["parsed"] == f"RESPONSE-{item['id']}" for item in uploaded)
    assert all(not item["cached"] and item["metadata"] == {"size": 1024} for item in uploaded)
    assert [report[name].completed for name in ("download", "save_to_db", "upload")] == [200] * 3
    assert (report["parse_batch"].received, report["parse_batch"].emitted) == (4, 200)
    parsed_by = {item["parsed_by"] for item in uploaded}
    ours = (os.getpid(), threading.get_ident())
    assert all(mark[:2] != ours for mark in parsed_by)
    assert len(parsed_by) == 4 if kind == SINGLY else 1 <= len(parsed_by) <= 2


@in_other_memory
def test_nothing_of_a_long_chain_of_contexts_is_lost(kind: str) -> None:
    """61_scale_test: 100 of 100."""
    uploaded = comprehensive(kind, 100, 10, 10, 2).collect()
    assert sorted(item["id"] for item in uploaded) == list(range(100))
