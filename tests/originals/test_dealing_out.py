"""How one stage shares its items out among several: in turn, by load, by key, or as it likes."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from typing import Any

from minigun_py import Pipeline
from originals.kinds import in_every_kind, in_quick_kinds, pipeline, where

ORDERS = [
    {"id": 1, "region": "west"},
    {"id": 2, "region": "east"},
    {"id": 3, "region": "west"},
    {"id": 4, "region": "east"},
    {"id": 5, "region": "west"},
]


@in_quick_kinds
def test_three_branches_take_ten_items_in_turn(kind: str) -> None:
    """27_round_robin_load_balancing."""
    branches = ["first", "second", "third"]
    pipe = pipeline(kind)

    @pipe.producer(to=branches, routing="round_robin")
    def generate() -> Iterator[int]:
        yield from range(10)

    for branch in branches:

        @pipe.consumer(name=branch, **where(kind))
        def take(number: int, branch: str = branch) -> tuple[str, int]:
            return branch, number

    assert sorted(pipe.collect()) == [
        *(("first", number) for number in (0, 3, 6, 9)),
        *(("second", number) for number in (1, 4, 7)),
        *(("third", number) for number in (2, 5, 8)),
    ]


@in_quick_kinds
def test_two_branches_take_what_a_processor_emits_in_turn(kind: str) -> None:
    """131_round_robin_routing."""
    pipe = pipeline(kind)
    pipe.processor(
        lambda n: f"item_{n}", name="label", to=["consumer_a", "consumer_b"], routing="round_robin"
    )
    received: dict[str, list[str]] = {"consumer_a": [], "consumer_b": []}
    for name, found in received.items():
        pipe.consumer(found.append, name=name)
    pipe.run(range(6))
    assert [len(found) for found in received.values()] == [3, 3]
    assert sorted(chain.from_iterable(received.values())) == [f"item_{n}" for n in range(6)]


@in_every_kind
def test_who_is_busy_gets_less(kind: str) -> None:
    """132_demand_routing: the slow consumer is at its first item until the others are done."""
    few = 4
    received: dict[str, list[int]] = {"fast": [], "slow": []}
    came = threading.Condition()
    pipe = pipeline(kind)

    def wait_until_fast_has(count: int) -> None:
        with came:
            assert came.wait_for(lambda: len(received["fast"]) >= count, 20)

    @pipe.producer
    def generate() -> Iterator[int]:
        for number in range(30):
            wait_until_fast_has(number - few)
            yield number

    pipe.processor(
        lambda number: number, name="deal", to=["fast", "slow"], routing="least_loaded", chunk=1
    )

    @pipe.consumer(execution="thread", chunk=1)
    def fast(number: int) -> None:
        with came:
            received["fast"].append(number)
            came.notify_all()

    @pipe.consumer(execution="thread", chunk=1)
    def slow(number: int) -> None:
        wait_until_fast_has(30 - few)
        received["slow"].append(number)

    pipe.run()
    assert sorted(received["fast"] + received["slow"]) == list(range(30))
    assert len(received["slow"]) <= few


def by_handler(pipe: Pipeline) -> dict[str, list[int]]:
    """The orders by who handled them."""
    handled: defaultdict[str, list[int]] = defaultdict(list)
    for handler, number in pipe.collect():
        handled[handler].append(number)
    return {handler: sorted(numbers) for handler, numbers in handled.items()}


def partitioned(kind: str, orders: list[dict[str, Any]]) -> Pipeline:
    """Orders that two handlers share by region, as two workers say."""
    pipe = pipeline(kind, workers=2)
    handlers = ["handler_a", "handler_b"]
    pipe.source(orders)

    @pipe.processor(to=handlers, routing="partition", key=lambda order: order["region"], chunk=1)
    def accept(order: dict[str, Any]) -> dict[str, Any]:
        return order

    for handler in handlers:

        @pipe.consumer(name=handler, **where(kind))
        def handle(order: dict[str, Any], handler: str = handler) -> tuple[str, int]:
            return handler, order["id"]

    return pipe


@in_every_kind
def test_all_orders_of_a_region_go_to_one_handler(kind: str) -> None:
    """133_partition_routing."""
    handled = by_handler(partitioned(kind, ORDERS))
    assert sorted(chain.from_iterable(handled.values())) == [1, 2, 3, 4, 5]
    for region in ([1, 3, 5], [2, 4]):
        assert sum(set(region) <= set(numbers) for numbers in handled.values()) == 1


@in_every_kind
def test_a_partition_is_the_same_in_every_run_and_in_every_worker(kind: str) -> None:
    """133_partition_routing: Ruby's hash has a seed of its own in every process."""
    orders = [{"id": n, "region": f"region {n % 12}"} for n in range(24)]
    handled = by_handler(partitioned(kind, orders))
    assert handled == by_handler(partitioned("inline", orders))
    assert len(handled) == 2


@in_quick_kinds
def test_a_function_of_the_item_chooses_its_bucket(kind: str) -> None:
    """134_partition_custom_hash."""
    buckets = ["bucket0", "bucket1", "bucket2"]
    received: dict[str, list[int]] = {bucket: [] for bucket in buckets}
    pipe = pipeline(kind)

    @pipe.processor(to=buckets, routing=lambda number: buckets[number % 3])
    def source(number: int) -> int:
        return number

    for bucket, found in received.items():
        pipe.consumer(found.append, name=bucket)
    pipe.run(range(9))
    found = {bucket: sorted(numbers) for bucket, numbers in received.items()}
    assert found == {"bucket0": [0, 3, 6], "bucket1": [1, 4, 7], "bucket2": [2, 5, 8]}


@in_quick_kinds
def test_an_item_that_is_sent_nowhere_is_filtered(kind: str) -> None:
    """135_partition_filter."""
    received: dict[str, list[int]] = {"positive_a": [], "positive_b": []}

    def choose(number: int) -> list[str]:
        return [] if number <= 0 else [["positive_a", "positive_b"][number % 2]]

    pipe = pipeline(kind)
    pipe.processor(lambda number: number, name="source", to=list(received), routing=choose)
    for name, found in received.items():
        pipe.consumer(found.append, name=name)
    report = pipe.run([-2, -1, 0, 1, 2, 3, 4, 5])
    found = {name: sorted(numbers) for name, numbers in received.items()}
    assert found == {"positive_a": [2, 4], "positive_b": [1, 3, 5]}
    assert (report["source"].filtered, report["source"].completed) == (3, 5)
