"""What the workers of the contract run. Fresh workers import it, so it imports next to nothing."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from contract.gate import LIMIT, Gate


class Gated:
    """Passes a gate, then gives the item as it is."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def __call__(self, item: Any) -> Any:
        self.gate.pass_through()
        return item


class GatedCoroutine(Gated):
    """The same as a coroutine."""

    async def __call__(self, item: Any) -> Any:
        await self.gate.pass_through_awaiting()
        return item


def nested(kind: str, number: int) -> int:
    """Run something in a context of its own."""
    from minigun_py.contexts import create_context

    result: int = create_context(kind, "nested").execute(lambda: number + 1).join(LIMIT)
    return result


def pass_both(one: Gate, other: Gate) -> None:
    """Pass two gates, one after the other."""
    one.pass_through()
    other.pass_through()


async def _pass_both_awaiting(one: Gate, other: Gate) -> None:
    await one.pass_through_awaiting()
    await other.pass_through_awaiting()


def awaited(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as a coroutine function; a gate is awaited rather than blocked on."""
    if getattr(function, "__func__", None) is Gate.pass_through:
        return function.__self__.pass_through_awaiting  # type: ignore[attr-defined,no-any-return]

    if function is pass_both:
        return _pass_both_awaiting

    async def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


class TwoArguments(Exception):
    """Cannot be rebuilt from its text alone."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


class Unbuildable:
    """Can be pickled, and never unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (invert, (0,))


class DeadlyToRebuild:
    """Kills the process that unpickles it, unless that is the one of the test."""

    def __init__(self, home: int) -> None:
        self.home = home

    def __setstate__(self, state: dict[str, Any]) -> None:
        if os.getpid() != state["home"]:
            os._exit(9)


class DeadlyToPickle:
    """Kills the process that pickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        os._exit(9)


def double(number: int) -> int:
    return 2 * number


def own_pid(value: Any) -> int:
    return os.getpid()


def same(value: Any) -> Any:
    return value


def invert(number: int) -> float:
    return 1 / number


def type_name(value: Any) -> str:
    return type(value).__name__


def lock_for_two(number: int) -> Any:
    return threading.Lock() if number == 2 else number


def unbuildable_for_two(number: int) -> Any:
    return Unbuildable() if number == 2 else number


def deadly_result_for_two(number: int) -> Any:
    return DeadlyToPickle() if number == 2 else number


def raise_two_arguments(number: int) -> None:
    raise TwoArguments("one", "two")


def raise_with_lock(number: int) -> None:
    error = ValueError("holds a lock")
    error.lock = threading.Lock()  # type: ignore[attr-defined]
    raise error


def die_at_zero(number: int) -> int:
    if number == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def hang_at_zero(number: int) -> int:
    while not number:
        signal.pause()
    return number


def look_up(key: str) -> object:
    return {}[key]


def raise_it(error: Exception) -> None:
    raise error


def with_a_lock(error: Exception) -> Exception:
    error.lock = threading.Lock()  # type: ignore[attr-defined]
    return error
