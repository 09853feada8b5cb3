"""What a context by itself promises beyond the contract: what holds when it cannot even begin."""

from __future__ import annotations

import asyncio
import threading

import pytest

from contract.gate import LIMIT
from minigun_py.contexts import create_context
from minigun_py.contexts.thread import ThreadContext
from minigun_py.errors import ContextError, NotPicklable, UsageError


def test_one_that_cannot_be_opened_is_idle_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise BlockingIOError("the system grants no more")

    context = create_context("thread", "errand")
    with monkeypatch.context() as system:
        system.setattr(ThreadContext, "open", refused)
        with pytest.raises(BlockingIOError):
            context.execute(int, "5")
    assert not context.alive
    with pytest.raises(ContextError, match="nothing to join"):
        context.join(LIMIT)
    assert context.execute(int, "5").join(LIMIT) == 5


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_where_coroutines_are_for_another_kind_they_are_run_to_their_end(kind: str) -> None:
    assert create_context(kind).execute(later, 5).join(LIMIT) == 5


def test_one_for_coroutines_refuses_other_functions_and_is_idle_again() -> None:
    context = create_context("async", "errand")
    with pytest.raises(UsageError, match=r"'errand' runs coroutine functions, and .*int.* is none"):
        context.execute(int, "5")
    assert not context.alive
    assert context.execute(later, 5).join(LIMIT) == 5


def test_a_function_that_cannot_be_sent_is_refused_and_the_context_is_idle_again() -> None:
    lock = threading.Lock()
    context = create_context("process", "errand")
    with pytest.raises(NotPicklable, match="lock"):
        context.execute(lambda: lock)
    assert not context.alive
    assert context.execute(abs, -5).join(LIMIT) == 5


async def later(value: int) -> int:
    await asyncio.sleep(0)
    return value
