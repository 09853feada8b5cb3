"""Which module makes which kind of context: the one place that knows them all.

A new kind is a module and a line here. A module is imported when its kind is first wanted.
"""

from __future__ import annotations

import importlib
from typing import Final

from minigun_py.contexts.context import ExecutionContext, Traits
from minigun_py.contexts.kernel import Functions
from minigun_py.placement import ContextKind

__all__ = ["create", "obstacle_to", "traits_of"]

_IMPLEMENTATIONS: Final = {
    ContextKind.INLINE: "minigun_py.contexts.inline:InlineContext",
    ContextKind.THREAD: "minigun_py.contexts.thread:ThreadContext",
    ContextKind.ASYNC: "minigun_py.contexts.coroutine:CoroutineContext",
    ContextKind.FORK: "minigun_py.contexts.fork:ForkContext",
    ContextKind.COW_FORK: "minigun_py.contexts.cow_fork:CowForkContext",
    ContextKind.SUBINTERPRETER: "minigun_py.contexts.subinterpreter:SubinterpreterContext",
    ContextKind.PROCESS: "minigun_py.contexts.process:ProcessContext",
}


def create(kind: ContextKind) -> ExecutionContext:
    """A context of this kind, not yet open. Whoever creates it closes it."""
    return _implementation(kind)()


def traits_of(kind: ContextKind) -> Traits:
    """What contexts of this kind can do."""
    return _implementation(kind).traits


def obstacle_to(kind: ContextKind, functions: Functions = ()) -> str | None:
    """Why this kind cannot run these functions here and now, in words; None if it can."""
    return _implementation(kind).obstacle(functions)


def _implementation(kind: ContextKind) -> type[ExecutionContext]:
    module, _, name = _IMPLEMENTATIONS[kind].partition(":")
    found: type[ExecutionContext] = getattr(importlib.import_module(module), name)
    return found
