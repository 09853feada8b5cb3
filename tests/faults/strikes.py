"""Stages of forty items that a fault strikes, and what strikes them. Interpreters import it."""

from __future__ import annotations

import inspect
import os
import signal
import threading
from collections.abc import Callable
from typing import Any, Final

from minigun_py import Stage, current

__all__ = [
    "BAD",
    "BAD_AT_FIRST",
    "FOREIGN",
    "ITEMS",
    "FailingFlush",
    "Struck",
    "Unpicklable",
    "give_back",
    "give_back_beside",
    "hang",
    "hang_awaiting",
    "raise_os_error",
    "set_up",
    "take_foreign_lock",
    "tell_where",
]

ITEMS: Final = 40
BAD: Final = 5
BAD_AT_FIRST: Final = 7
"""Is bad in its first attempt only, where there is another."""

FOREIGN: Final = {"lock": threading.Lock()}
"""Held by the program, in a place where nobody looks for locks."""


class Struck:
    """Gives each item as it is, but for the bad ones: in their place something comes to pass."""

    def __init__(self, deed: Callable[[int], Any], tried_again: bool) -> None:
        """With `tried_again` one more item is bad, in its first attempt."""
        self._deed, self._tried_again = deed, tried_again

    def __call__(self, item: int) -> Any:
        bad_at_first = self._tried_again and item == BAD_AT_FIRST and current().attempt == 1
        return self._deed(item) if item == BAD or bad_at_first else item

    async def awaiting(self, item: int) -> Any:
        """The same, as a coroutine."""
        result = self(item)
        return await result if inspect.isawaitable(result) else result


class Unpicklable:
    """An item that crosses to no other memory."""

    def __init__(self, number: int) -> None:
        self._number, self._lock = number, threading.Lock()

    def __str__(self) -> str:
        return str(self._number)


class FailingFlush(Stage):
    """Gives each item as it is, and fails when there are no more."""

    def process(self, item: int) -> int:
        return item

    def flush(self) -> None:
        raise OSError("the disk is full")


def give_back(item: Any) -> Any:
    return item


def give_back_beside(item: Any, state: object) -> Any:
    """The same, with something that is set up and torn down."""
    return item


def set_up() -> str:
    return "ready"


def tell_where(item: int) -> tuple[int, int]:
    """The numbers of this process and of its parent."""
    return os.getpid(), os.getppid()


def hang(item: int) -> None:
    while True:
        signal.pause()


async def hang_awaiting(item: int) -> None:
    import asyncio  # here: not every interpreter has to load it

    await asyncio.Event().wait()


def take_foreign_lock(item: int) -> int:
    with FOREIGN["lock"]:
        return item


def raise_os_error(*_: Any) -> None:
    raise OSError("the disk is full")
