"""pmap: map with workers; lazy, bounded, in order, and closed with its loop."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

import minigun_py
from minigun_py import PipelineFailed, UsageError, pmap

KINDS = ("inline", "thread", "fork")
MOMENT = 10.0

each_kind = pytest.mark.parametrize("kind", KINDS)


def workers_of(kind: str) -> int:
    return 1 if kind == "inline" else 2


def square(n: int) -> int:
    return n * n


@each_kind
def test_results_come_in_the_order_of_the_items(kind: str) -> None:
    def uneven(n: int) -> int:
        return n + 0 * sum(range(30_000 if n % 5 == 0 else 10))

    results = pmap(uneven, range(100), execution=kind, workers=workers_of(kind))
    assert list(results) == list(range(100))


def test_results_come_as_they_are_ready_if_order_is_not_wanted() -> None:
    one_is_out = threading.Event()

    def held(n: int) -> int:
        assert n or one_is_out.wait(MOMENT)
        return n

    got = []
    for n in pmap(held, range(2), execution="thread", workers=2, ordered=False, chunk=1):
        got.append(n)
        one_is_out.set()
    assert got == [1, 0]


@each_kind
def test_none_is_a_result_like_any_other(kind: str) -> None:
    results = pmap(lambda n: n or None, [0, 1], execution=kind, workers=workers_of(kind))
    assert list(results) == [None, 1]


@each_kind
def test_a_list_and_a_generator_are_results_like_any_other(kind: str) -> None:
    assert list(pmap(lambda n: [n, n], [1], execution=kind, workers=workers_of(kind))) == [[1, 1]]


def test_nothing_is_drawn_before_the_first_result_is_asked_for() -> None:
    drawn: list[int] = []
    results = pmap(square, map(drawn.append, range(3)), execution="thread")
    assert drawn == []
    results.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["thread", "fork"])
def test_only_a_window_of_an_endless_input_is_drawn(kind: str) -> None:
    drawn = itertools.count()
    items = (next(drawn) for _ in itertools.count())
    results = pmap(square, items, execution=kind, workers=2, queue_size=4, chunk=1)
    assert list(itertools.islice(results, 3)) == [0, 1, 4]
    results.close()  # type: ignore[attr-defined]
    assert next(drawn) < 1100  # the queues, and the thousand outputs that may wait


def test_leaving_the_loop_closes_the_input_and_the_workers() -> None:
    closed = threading.Event()

    def numbers() -> Iterator[int]:
        try:
            yield from itertools.count()
        finally:
            closed.set()

    items = numbers()
    for n in pmap(square, items, execution="fork", workers=2):
        if n > 100:
            break
    assert closed.wait(MOMENT)


def test_no_items_give_no_results() -> None:
    assert list(pmap(square, [], workers=1)) == []


def test_an_error_of_the_function_is_raised_after_the_results_before_it() -> None:
    def fail(n: int) -> int:
        return 6 // n

    got: list[int] = []
    with pytest.raises(PipelineFailed, match="on item 0") as failed:
        got.extend(pmap(fail, [3, 2, 0], execution="inline", workers=1))
    assert got == [2, 3]
    assert isinstance(failed.value.exceptions[0], ZeroDivisionError)


def test_options_of_a_stage_are_options_of_pmap() -> None:
    results = pmap(lambda n: 6 // n, [3, 0, 2], workers=2, on_error="skip")
    assert list(results) == [2, 3]


def test_processes_do_the_work_where_python_has_a_global_lock() -> None:
    locked = getattr(sys, "_is_gil_enabled", lambda: True)()
    (pid,) = pmap(lambda _: os.getpid(), [0])
    assert (pid != os.getpid()) is locked


def test_a_wrong_option_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="did you mean 'workers'"):
        pmap(square, [1], worker=2)


def test_no_module_has_the_name_of_a_door_and_hides_it() -> None:
    assert not [door for door in minigun_py.__all__ if find_spec(f"minigun_py.{door}")]


def test_coroutines_are_mapped_too() -> None:
    async def wait(number: int) -> int | None:
        return number or None

    assert list(pmap(wait, range(4), workers=2)) == [None, 1, 2, 3]


def test_workers_may_have_a_state() -> None:
    def add(number: int, state: int) -> int:
        return number + state

    assert list(pmap(add, range(3), workers=2, setup=lambda: 10)) == [10, 11, 12]
