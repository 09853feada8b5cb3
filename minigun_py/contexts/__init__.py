"""Where work runs: one seam, `ExecutionContext`, and a module for each kind behind it.

The user's door to a single context is `create_context`; to several at a time, `ContextPool`.
They are imported when they are first wanted: a fresh worker has no use for them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minigun_py.contexts.pool import ContextPool
    from minigun_py.contexts.task import TaskContext, create_context

__all__ = ["ContextPool", "TaskContext", "create_context"]

_HOMES = {"ContextPool": "pool", "TaskContext": "task", "create_context": "task"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
