"""What a context by itself promises beyond the contract: what holds when it cannot even begin."""

from __future__ import annotations

import pytest

from contract.gate import LIMIT
from minigun_py.contexts import create_context
from minigun_py.contexts.thread import ThreadContext
from minigun_py.errors import ContextError


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
