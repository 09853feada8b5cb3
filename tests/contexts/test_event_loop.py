"""Coroutines are run to their ends from code that is none, also where a loop runs already."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from minigun_py.contexts.event_loop import EventLoop

Body = Callable[[EventLoop], Any]

word: contextvars.ContextVar[str] = contextvars.ContextVar("word", default="none")


@contextmanager
def closing() -> Iterator[EventLoop]:
    loop = EventLoop()
    try:
        yield loop
    finally:
        loop.close()


def alone(body: Body) -> Any:
    """Where no loop runs."""
    with closing() as loop:
        return body(loop)


def beside_a_loop(body: Body) -> Any:
    """Where this thread runs a loop already, as in a notebook."""

    async def run() -> Any:
        return alone(body)

    return asyncio.run(run())


@pytest.fixture(params=[alone, beside_a_loop], ids=["alone", "beside a loop"])
def run(request: pytest.FixtureRequest) -> Callable[[Body], Any]:
    return request.param  # type: ignore[no-any-return]


async def twice(value: int) -> int:
    await asyncio.sleep(0)
    return 2 * value


async def loop_here() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


async def thread_here() -> threading.Thread:
    return threading.current_thread()


class Source:
    """Notes how far it was drawn from, and that it was closed."""

    def __init__(self, fails: bool = False) -> None:
        self.drawn: list[int] = []
        self.closed = False
        self._fails = fails

    async def numbers(self) -> AsyncIterator[int]:
        try:
            for n in range(3):
                await asyncio.sleep(0)
                self.drawn.append(n)
                yield n
            if self._fails:
                raise ValueError("no more")
        finally:
            await asyncio.sleep(0)
            self.closed = True


def test_a_coroutine_is_run_to_its_end(run: Callable[[Body], Any]) -> None:
    assert run(lambda loop: [loop.run(twice(1)), loop.run(twice(2))]) == [2, 4]


def test_what_it_raises_is_raised(run: Callable[[Body], Any]) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyError("missing")

    with pytest.raises(KeyError, match="missing"):
        run(lambda loop: loop.run(fail()))


def test_it_is_one_loop_as_long_as_it_is_open(run: Callable[[Body], Any]) -> None:
    first, second = run(lambda loop: [loop.run(loop_here()), loop.run(loop_here())])
    assert first is second


def test_what_it_runs_may_run_something_on_it_in_turn(run: Callable[[Body], Any]) -> None:
    def body(loop: EventLoop) -> int:
        async def outer() -> int:
            await asyncio.sleep(0)
            return loop.run(twice(2)) + loop.run(twice(3))

        return loop.run(outer()) + loop.run(outer())

    assert run(body) == 20


def test_its_end_is_the_end_of_what_still_runs_on_it(run: Callable[[Body], Any]) -> None:
    ended: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def begin() -> None:
        tasks.append(asyncio.create_task(wait()))
        await asyncio.sleep(0)

    tasks: list[asyncio.Task[None]] = []
    run(lambda loop: loop.run(begin()))
    assert ended == ["cancelled"]


def test_it_can_be_closed_twice_and_without_having_run(run: Callable[[Body], Any]) -> None:
    def body(loop: EventLoop) -> None:
        loop.close()
        loop.run(twice(1))
        loop.close()
        loop.close()

    run(body)


def test_a_coroutine_sees_the_context_variables_of_whoever_runs_it(
    run: Callable[[Body], Any],
) -> None:
    async def look() -> str:
        return word.get()

    def body(loop: EventLoop) -> list[str]:
        seen = [loop.run(look())]
        token = word.set("said")
        try:
            return [*seen, loop.run(look())]
        finally:
            word.reset(token)

    assert run(body) == ["none", "said"]


def test_alone_it_runs_in_the_calling_thread() -> None:
    assert alone(lambda loop: loop.run(thread_here())) is threading.current_thread()


def test_beside_a_loop_it_has_a_thread_of_its_own_which_its_close_ends() -> None:
    def body(loop: EventLoop) -> threading.Thread:
        first, second = loop.run(thread_here()), loop.run(thread_here())
        assert first is second
        assert first is not threading.current_thread()
        assert first.is_alive()
        loop.close()
        assert not first.is_alive()
        return first

    assert beside_a_loop(body).name.startswith("minigun-event-loop")


def test_one_that_was_never_used_has_no_thread() -> None:
    before = threading.active_count()
    beside_a_loop(lambda loop: None)
    assert threading.active_count() == before


# --------------------------------------------------------------------------- iterating


def test_elements_come_one_by_one(run: Callable[[Body], Any]) -> None:
    source = Source()

    def body(loop: EventLoop) -> None:
        elements = loop.iterate(source.numbers())
        assert source.drawn == []
        assert next(elements) == 0
        assert source.drawn == [0]
        assert list(elements) == [1, 2]
        assert source.closed

    run(body)


def test_an_iterator_that_is_left_is_closed(run: Callable[[Body], Any]) -> None:
    source = Source()

    def body(loop: EventLoop) -> None:
        elements = loop.iterate(source.numbers())
        next(elements)
        elements.close()  # type: ignore[attr-defined]
        assert source.closed

    run(body)
    assert source.drawn == [0]


def test_what_an_iterator_raises_is_raised_after_what_it_gave(run: Callable[[Body], Any]) -> None:
    source = Source(fails=True)
    got: list[int] = []

    def body(loop: EventLoop) -> None:
        with pytest.raises(ValueError, match="no more"):
            got.extend(loop.iterate(source.numbers()))

    run(body)
    assert source.drawn == [0, 1, 2]
    assert source.closed


def test_an_iterator_need_not_be_a_generator(run: Callable[[Body], Any]) -> None:
    class Countdown:
        """An asynchronous iterator that has nothing to close."""

        left = 2

        def __aiter__(self) -> Countdown:
            return self

        async def __anext__(self) -> int:
            if not self.left:
                raise StopAsyncIteration
            self.left -= 1
            return self.left

    assert run(lambda loop: list(loop.iterate(Countdown()))) == [1, 0]
