"""What runs instead where a kind cannot: the nearest kind that means the same.

A stage sees the same of a fork, a fresh process and a subinterpreter: a copy of what it closes
over, one item at a time. So these stand in for each other, and never for threads.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from minigun_py.contexts.context import Functions
from minigun_py.contexts.registry import obstacle_to, traits_of
from minigun_py.errors import UsageError
from minigun_py.placement import ContextKind, ContextSpec

__all__ = ["nearest_spec"]

_NEAREST: Final = {
    ContextKind.SUBINTERPRETER: (ContextKind.FORK, ContextKind.PROCESS),
    ContextKind.FORK: (ContextKind.PROCESS,),
    ContextKind.COW_FORK: (ContextKind.PROCESS,),
}


def nearest_spec(spec: ContextSpec, functions: Functions = ()) -> tuple[ContextSpec, str | None]:
    """The context to run these functions in, and why it is not the wanted one; None if it is.

    Raises:
        UsageError: Nothing that means the same can run here.
    """
    why = obstacle_to(spec.kind, functions)
    if why is None:
        return spec, None
    for kind in _NEAREST.get(spec.kind, ()):
        if obstacle_to(kind, functions) is None:
            fresh = 1 if traits_of(spec.kind).one_lease_each else spec.max_items
            told = f"{spec.kind} cannot run here ({why}), so {kind} does"
            return replace(spec, kind=kind, max_items=fresh), told
    raise UsageError(f"{spec.kind} cannot run here ({why}), and nothing that means the same can")
