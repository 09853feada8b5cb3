"""Which module makes which kind of context: the one place that knows them all.

A new kind is a module and a line here. A module is imported when its kind is first wanted.
"""

from __future__ import annotations

import importlib
from typing import Final

from minigun_py.contexts.context import ExecutionContext, Traits
from minigun_py.errors import UsageError
from minigun_py.placement import ContextKind

__all__ = ["create", "parse_kind", "traits_of"]

_IMPLEMENTATIONS: Final = {
    ContextKind.INLINE: "minigun_py.contexts.inline:InlineContext",
    ContextKind.THREAD: "minigun_py.contexts.thread:ThreadContext",
    ContextKind.FORK: "minigun_py.contexts.fork:ForkContext",
}


def create(kind: ContextKind) -> ExecutionContext:
    """A context of this kind, not yet open. Whoever creates it closes it."""
    return _implementation(kind)()


def traits_of(kind: ContextKind) -> Traits:
    """What contexts of this kind can do."""
    return _implementation(kind).traits


def parse_kind(kind: str) -> ContextKind:
    """The kind of that name. Raises `UsageError` if there is none."""
    if kind not in set(ContextKind):
        raise UsageError(f"no kind of context {kind!r}; there are {', '.join(ContextKind)}")
    return ContextKind(kind)


def _implementation(kind: ContextKind) -> type[ExecutionContext]:
    module, _, name = _IMPLEMENTATIONS[kind].partition(":")
    found: type[ExecutionContext] = getattr(importlib.import_module(module), name)
    return found
