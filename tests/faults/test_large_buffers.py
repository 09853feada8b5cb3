"""Large buffers arrive whole and are nobody else's, whatever becomes of those who sent them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faults.kinds import kinds_that
from minigun_py import Pipeline, Retry
from minigun_py.contexts.arena import LARGE
from minigun_py.testing import kill_worker

SHARED = Path("/dev/shm")
SIZES = [10, LARGE - 1, LARGE, 3 * LARGE + 7]
in_every_kind = kinds_that("not shares_memory")


def filled(size: int, number: int) -> memoryview:
    return memoryview(bytearray([number % 256]) * size)


def items() -> list[memoryview]:
    return [filled(SIZES[number % len(SIZES)], number) for number in range(24)]


def add_one(buffer: memoryview) -> memoryview:
    """Changes what it was given, and gives it back."""
    buffer[0] = (buffer[0] + 1) % 256
    buffer[-1] = buffer[0]
    return buffer


def copied(buffer: memoryview) -> bytes:
    """Gives something else back, which has no buffer beside its pickle."""
    return bytes(buffer)


kept: list[memoryview] = []


def keep(buffer: memoryview) -> memoryview:
    """Holds on to what it gives back, and changes it when the next one comes."""
    for mine in kept:
        mine[0] = 255
    kept.append(buffer)
    del kept[:-3]
    return buffer


@in_every_kind
@pytest.mark.parametrize("workers", [1, 2])
def test_buffers_go_there_and_back(kind: str, workers: int) -> None:
    sent = items()
    pipe = Pipeline("buffers")
    pipe.source(sent)
    pipe.processor(add_one, execution=kind, workers=workers, ordered=True)
    results = pipe.collect()
    assert [len(result) for result in results] == [len(buffer) for buffer in sent]
    for number, (before, after) in enumerate(zip(sent, results, strict=True)):
        assert (before[0], after[0], after[-1]) == (number, number + 1, number + 1)
        assert after[1:-1] == before[1:-1]


@in_every_kind
def test_buffers_pass_from_stage_to_stage(kind: str) -> None:
    sent = items()
    pipe = Pipeline("stages")
    pipe.source(sent)
    for name in "abc":
        pipe.processor(add_one, name=name, execution=kind, ordered=True)
    pipe.processor(copied, execution=kind, ordered=True)
    results = pipe.collect()
    assert [result[0] for result in results] == [number + 3 for number in range(len(sent))]
    assert [result[1:-1] for result in results] == [bytes(buffer[1:-1]) for buffer in sent]


@in_every_kind
def test_what_a_worker_keeps_is_not_what_was_sent_on(kind: str) -> None:
    sent = items()
    pipe = Pipeline("kept")
    pipe.source(sent)
    pipe.processor(keep, execution=kind, ordered=True, chunk=1)
    results = pipe.collect()
    assert [result[0] for result in results] == [buffer[0] for buffer in sent]


@kinds_that("survives_crash")
@pytest.mark.parametrize("on_item", [0, 7, 21])
def test_a_worker_that_dies_takes_no_buffer_with_it(kind: str, on_item: int) -> None:
    sent = items()
    pipe = Pipeline("killed")
    pipe.source(sent)
    pipe.processor(add_one, execution=kind, workers=2, retry=Retry(2, backoff=0.001), ordered=True)
    with kill_worker("add_one", at_item=sent[on_item]):
        results = pipe.collect()
    assert [result[0] for result in results] == [number + 1 for number in range(len(sent))]


@in_every_kind
def test_nothing_is_left_where_memory_is_shared(kind: str) -> None:
    before = sorted(os.listdir(SHARED)) if SHARED.is_dir() else []
    pipe = Pipeline("tidy")
    pipe.source(items())
    pipe.processor(add_one, execution=kind)
    pipe.run()
    assert (sorted(os.listdir(SHARED)) if SHARED.is_dir() else []) == before
