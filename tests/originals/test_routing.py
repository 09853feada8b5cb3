"""Stages that say of every item where it goes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest

from contract.gate import Gate
from minigun_py import Pipeline, Stage, To, UsageError
from originals.kinds import (
    in_every_kind,
    in_other_memory,
    in_quick_kinds,
    in_quick_processes,
    pipeline,
    where,
)
from originals.marks import here

Item = dict[str, Any]


@in_every_kind
def test_a_router_reaches_consumers_in_contexts_of_other_kinds(kind: str) -> None:
    """45_emit_to_stage_cross_context."""
    pipe = pipeline(kind)
    targets = {"fast": "fast_processor", "slow": "slow_processor", "heavy": "heavy_processor"}

    @pipe.producer
    def generate_tasks() -> Iterator[tuple[int, str]]:
        yield from enumerate(["fast", "slow", "heavy", "fast", "slow", "heavy", "fast", "slow"], 1)

    @pipe.processor(routes=list(targets.values()))
    def router(task: tuple[int, str]) -> To[tuple[int, str]]:
        return To(targets[task[1]], task)

    @pipe.consumer(execution="thread", workers=3)
    def fast_processor(task: tuple[int, str]) -> tuple[str, int]:
        assert task[1] == "fast"
        return task[1], task[0]

    @pipe.consumer(execution="thread", workers=2)
    def slow_processor(task: tuple[int, str]) -> tuple[str, int]:
        assert task[1] == "slow"
        return task[1], task[0]

    @pipe.consumer(**where(kind))
    def heavy_processor(task: tuple[int, str]) -> tuple[str, int]:
        assert task[1] == "heavy"
        return task[1], task[0]

    assert sorted(pipe.collect()) == [
        *(("fast", number) for number in (1, 4, 7)),
        *(("heavy", number) for number in (3, 6)),
        *(("slow", number) for number in (2, 5, 8)),
    ]


@in_quick_kinds
def test_classes_yield_to_the_stages_they_name(kind: str) -> None:
    """63_yield_with_classes, 69_yield_routing."""

    class ParityRouter(Stage):
        def process(self, item: int) -> Iterator[To[int]]:
            yield To("process_odd" if item % 2 else "process_even", item)

    class Times(Stage):
        def __init__(self, factor: int) -> None:
            self.factor = factor

        def process(self, item: int) -> Iterator[int]:
            yield item * self.factor

    even: list[int] = []
    odd: list[int] = []
    pipe = pipeline(kind)
    pipe.source(range(10), to="route_by_parity")
    routes = ["process_even", "process_odd"]
    pipe.add(ParityRouter(), name="route_by_parity", routes=routes, **where(kind))
    pipe.add(Times(2), name="process_even", to="collect_even", **where(kind))
    pipe.add(Times(3), name="process_odd", to="collect_odd", **where(kind))
    pipe.consumer(even.append, name="collect_even")
    pipe.consumer(odd.append, name="collect_odd")
    pipe.run()
    assert (sorted(even), sorted(odd)) == ([0, 4, 8, 12, 16], [3, 9, 15, 21, 27])


@in_quick_kinds
def test_a_stage_that_is_only_routed_to_waits_for_what_comes_and_then_ends(kind: str) -> None:
    """90_await_modes."""
    targets = ["default_await", "infinite_await", "custom_await", "normal_dag"]
    pipe = pipeline(kind)

    @pipe.producer(routes=targets)
    def router() -> Iterator[To[int]]:
        for number in (1, 2, 3):
            for target in targets:
                yield To(target, number)

    for target in targets:

        @pipe.consumer(name=target, **where(kind))
        def take(number: int, target: str = target) -> tuple[str, int]:
            return target, number

    outputs = pipe.collect()
    assert sorted(outputs) == sorted((name, n) for name in targets for n in (1, 2, 3))


@in_quick_kinds
def test_a_stage_that_nothing_was_sent_to_ends_all_the_same(kind: str) -> None:
    """90_await_modes: the connected stage gets one item, the other none."""
    pipe = pipeline(kind)

    @pipe.producer(routes=["connected_stage", "disconnected_stage"])
    def source() -> Iterator[To[int]]:
        yield To("connected_stage", 1)

    pipe.consumer(lambda number: number, name="connected_stage", **where(kind))
    pipe.consumer(lambda number: number, name="disconnected_stage", **where(kind))
    report = pipe.run()
    received = [report[name].received for name in ("connected_stage", "disconnected_stage")]
    assert received == [1, 0]


def test_a_stage_that_nobody_can_reach_is_an_error_before_the_first_item() -> None:
    """90_await_modes: what Ruby's Minigun shuts down at once, or waits for, for ever."""
    begun: list[int] = []
    pipe = Pipeline("disconnected")

    @pipe.producer(to="connected_stage")
    def source() -> Iterator[int]:
        begun.append(1)
        yield 1

    pipe.consumer(print, name="connected_stage")
    pipe.consumer(print, name="disconnected_stage")
    with pytest.raises(UsageError, match=r"'disconnected_stage'.*can never receive an item"):
        pipe.run()
    assert begun == []


@in_quick_kinds
def test_a_chain_of_routers_loses_nothing(kind: str) -> None:
    """98_await_stages_complex_routing."""
    collected: dict[str, list[Item]] = {"high": [], "low": [], "errors": []}
    pipe = pipeline(kind)

    @pipe.producer
    def generate() -> Iterator[Item]:
        priorities = ("high", "low", "high", "error")
        for number in range(1, 21):
            yield {"id": number, "priority": priorities[number % 4], "value": number * 10}

    @pipe.processor(routes=["high_handler", "low_handler", "error_handler"])
    def primary_router(item: Item) -> To[Item]:
        return To(f"{item['priority']}_handler", item)

    @pipe.processor(routes=["enricher"])
    def high_handler(item: Item) -> To[Item]:
        return To("enricher", item | {"validated": True})

    @pipe.processor(to="collect_low")
    def low_handler(item: Item) -> Item:
        return item | {"processed": True}

    @pipe.processor(to="collect_errors")
    def error_handler(item: Item) -> Item:
        return item | {"error": True}

    @pipe.processor(to="collect_high")
    def enricher(item: Item) -> Item:
        return item | {"enriched": True}

    for name, found in collected.items():
        pipe.consumer(found.append, name=f"collect_{name}")
    pipe.run()
    assert {name: len(found) for name, found in collected.items()} == {
        "high": 10,
        "low": 5,
        "errors": 5,
    }
    assert all(item["validated"] and item["enriched"] for item in collected["high"])
    assert all(item["processed"] for item in collected["low"])
    assert all(item["error"] for item in collected["errors"])


@in_quick_processes
def test_workers_that_are_only_routed_to_share_their_items(kind: str, gate: Gate) -> None:
    """98_await_stages_complex_routing: ten results, five per stage, more than one process."""
    pipe = pipeline(kind)

    @pipe.processor(routes=["worker_a", "worker_b"])
    def router(number: int) -> To[int]:
        return To("worker_b" if number % 2 else "worker_a", number)

    for name in ("worker_a", "worker_b"):

        @pipe.consumer(name=name, **where(kind, workers=2))
        def work(number: int, name: str = name) -> tuple[str, int, int]:
            gate.pass_through()
            return name, number, os.getpid()

    with pipe.stream(range(1, 11)) as outputs:
        gate.wait_for(4)
        gate.let_go(10)
        results = list(outputs)
    assert sorted((name, number) for name, number, _ in results) == [
        *(("worker_a", number) for number in (2, 4, 6, 8, 10)),
        *(("worker_b", number) for number in (1, 3, 5, 7, 9)),
    ]
    pids = [
        {pid for name, _, pid in results if name == worker} for worker in ["worker_a", "worker_b"]
    ]
    assert all(len(found) > 1 for found in pids)
    assert not pids[0] & pids[1]


@in_other_memory
def test_a_router_in_threads_reaches_stages_within_blocks(kind: str) -> None:
    """97_dynamic_routing_to_inner_fork_stages."""
    pipe = Pipeline("inner stages")

    @pipe.processor(
        execution="thread",
        workers=2,
        routes=["inner_process_a", "inner_process_b", "inner_collect_c"],
    )
    def router(number: int) -> To[int]:
        return To(["inner_process_a", "inner_process_b", "inner_collect_c"][number % 3], number)

    with pipe.defaults(**where(kind)):

        @pipe.processor(to="collect_a")
        def inner_process_a(number: int) -> tuple[str, int, Any]:
            return "a", number * 10, here()

        @pipe.processor(to="collect_b")
        def inner_process_b(number: int) -> tuple[str, int, Any]:
            return "b", number * 20, here()

    with pipe.defaults(execution="cow_fork", workers=2):

        @pipe.consumer
        def inner_collect_c(number: int) -> tuple[str, int, Any]:
            return "c", number, here()

    @pipe.consumer
    def collect_a(item: tuple[str, int, Any]) -> tuple[str, int, Any]:
        return item

    @pipe.consumer
    def collect_b(item: tuple[str, int, Any]) -> tuple[str, int, Any]:
        return item

    outputs = pipe.collect(range(1, 10))
    assert sorted(output[:2] for output in outputs) == [
        *(("a", number * 10) for number in (3, 6, 9)),
        *(("b", number * 20) for number in (1, 4, 7)),
        *(("c", number) for number in (2, 5, 8)),
    ]
    ours = here_outside()
    assert all(mark[:2] != ours for _, _, mark in outputs)


@in_other_memory
def test_a_router_in_workers_reaches_stages_in_other_workers(kind: str) -> None:
    """97_dynamic_routing_to_inner_fork_stages: from one block to another."""
    pipe = Pipeline("inner stages")
    with pipe.defaults(**where(kind)):

        @pipe.processor(routes=["process_x", "process_y"])
        def inner_router(number: int) -> To[int]:
            return To("process_y" if number % 2 else "process_x", number)

    with pipe.defaults(execution="cow_fork", workers=2):

        @pipe.processor(to="collect")
        def process_x(number: int) -> tuple[str, int]:
            return "x", number * 100

        @pipe.processor(to="collect")
        def process_y(number: int) -> tuple[str, int]:
            return "y", number * 200

    pipe.consumer(lambda item: item, name="collect")
    assert sorted(pipe.collect(range(1, 7))) == [
        *(("x", value) for value in (200, 400, 600)),
        *(("y", value) for value in (200, 600, 1000)),
    ]


def test_coroutines_fan_out_and_in() -> None:
    """107_fiber_fan_out_fan_in."""
    pipe = Pipeline("fibers")

    @pipe.processor(routes=["path_a", "path_b", "path_c"])
    def router(number: int) -> To[int]:
        return To(["path_a", "path_b", "path_c"][number % 3], number)

    @pipe.processor(to="merger", execution="async", workers=5)
    async def path_a(number: int) -> tuple[str, int]:
        await asyncio.sleep(0)
        return "a", number * 10

    @pipe.processor(to="merger", execution="async", workers=3)
    async def path_b(number: int) -> tuple[str, int]:
        await asyncio.sleep(0)
        return "b", number**2

    @pipe.processor(to="merger", execution="async", workers=2)
    async def path_c(number: int) -> tuple[str, int]:
        await asyncio.sleep(0)
        return "c", number**3

    pipe.consumer(lambda item: item, name="merger")
    assert sorted(pipe.collect(range(1, 16))) == [
        *(("a", number * 10) for number in (3, 6, 9, 12, 15)),
        *(("b", number**2) for number in (1, 4, 7, 10, 13)),
        *(("c", number**3) for number in (2, 5, 8, 11, 14)),
    ]


@in_quick_kinds
def test_a_load_balancer_deals_requests_out_evenly(kind: str) -> None:
    """39_load_balancer: 15 requests over three servers."""
    pipe = pipeline(kind)
    servers = ["server_0", "server_1", "server_2"]

    @pipe.processor(routes=servers)
    def assign(request: int) -> To[int]:
        return To(servers[request % 3], request)

    for server in servers:
        pipe.consumer(lambda request: request, name=server)
    report = pipe.run(range(15))
    assert [report[server].received for server in servers] == [5, 5, 5]


def here_outside() -> tuple[int, int]:
    """Process and thread of the test."""
    import threading

    return os.getpid(), threading.get_ident()
