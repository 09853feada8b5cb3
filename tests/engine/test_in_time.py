"""A call that takes too long fails: a coroutine when its time is up, a function when it returns."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from minigun_py.clock import SYSTEM_CLOCK
from minigun_py.engine.in_time import within
from minigun_py.errors import ItemTimedOut
from minigun_py.testing.clock import VirtualClock

SHORT, LONG = 0.01, 60.0


async def forever(item: Any) -> Any:
    await asyncio.Event().wait()


def test_a_function_that_returns_in_time_gives_what_it_returns() -> None:
    assert within(1.0, str, False, VirtualClock())(3) == "3"


@pytest.mark.parametrize(("took", "fails"), [(1.0, False), (1.1, True)])
def test_a_function_that_took_too_long_fails_when_it_returns(took: float, fails: bool) -> None:
    clock = VirtualClock()
    call = within(1.0, lambda _: clock.advance(took), False, clock)
    if not fails:
        assert call(3) is None
        return
    with pytest.raises(ItemTimedOut, match="it did not end within 1 s"):
        call(3)


def test_an_error_of_the_function_stays_its_own() -> None:
    with pytest.raises(ValueError, match="abc"):
        within(1.0, int, False, VirtualClock())("abc")


def test_a_coroutine_that_ends_in_time_gives_what_it_gives() -> None:
    async def double(number: int) -> int:
        return 2 * number

    assert asyncio.run(within(LONG, double, True, SYSTEM_CLOCK)(3)) == 6


def test_a_coroutine_is_cancelled_when_its_time_is_up() -> None:
    with pytest.raises(ItemTimedOut):
        asyncio.run(within(SHORT, forever, True, SYSTEM_CLOCK)(3))


def test_a_coroutine_that_takes_no_notice_fails_all_the_same() -> None:
    async def stubborn(item: Any) -> str:
        try:
            await forever(item)
        except asyncio.CancelledError:
            return "done"
        return "never"

    with pytest.raises(ItemTimedOut):
        asyncio.run(within(SHORT, stubborn, True, SYSTEM_CLOCK)(3))


def test_a_coroutine_that_holds_up_its_loop_fails_late() -> None:
    clock = VirtualClock()

    async def busy(item: Any) -> None:
        clock.advance(LONG + 1)

    with pytest.raises(ItemTimedOut):
        asyncio.run(within(LONG, busy, True, clock)(3))


def test_a_time_out_of_the_coroutine_itself_stays_its_own() -> None:
    async def impatient(item: Any) -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine") as raised:
        asyncio.run(within(LONG, impatient, True, SYSTEM_CLOCK)(3))
    assert not isinstance(raised.value, ItemTimedOut)


def test_a_cancel_from_outside_is_no_time_out() -> None:
    async def cancelled() -> None:
        task = asyncio.ensure_future(within(LONG, forever, True, SYSTEM_CLOCK)(3))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
