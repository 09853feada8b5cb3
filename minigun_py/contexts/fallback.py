"""What runs instead where a kind cannot: the nearest kind that means the same.

A stage sees the same of a fork, a fresh process and a subinterpreter: a copy of what it closes
over, one item at a time. So these stand in for each other, and never for threads.
"""

from __future__ import annotations

from typing import Final

from minigun_py.clock import Deadline
from minigun_py.contexts.context import ExecutionContext
from minigun_py.contexts.kernel import Functions, Kernel
from minigun_py.contexts.registry import create, obstacle_to, traits_of
from minigun_py.errors import KindUnavailable, UsageError
from minigun_py.placement import ContextKind, ContextSpec
from minigun_py.record import replace

__all__ = ["nearest_spec", "open_nearest"]

_NEAREST: Final = {
    ContextKind.SUBINTERPRETER: (ContextKind.FORK, ContextKind.PROCESS),
    ContextKind.FORK: (ContextKind.PROCESS,),
    ContextKind.COW_FORK: (ContextKind.PROCESS,),
}


ATTEMPTS: Final = 10
"""How often things may change between the question what can be opened and the attempt."""


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


def open_nearest(kernel: Kernel, spec: ContextSpec) -> tuple[ExecutionContext, str | None]:
    """An open context that means what is wanted, and why it is not that; None if it is.

    What could be when the plan was made may be impossible by now: another run in this process
    may have made a subinterpreter. So the question is asked again.

    Raises:
        UsageError: Nothing that means the same can run here.
        KindUnavailable: Things change all the time.
        Exception: What opening it raises; it is closed again.
    """
    refused: KindUnavailable | None = None
    for _ in range(ATTEMPTS):
        possible, why = nearest_spec(spec)
        context = create(possible.kind)
        try:
            context.open(kernel, possible)
        except KindUnavailable as error:
            context.close(Deadline.after(0.0))  # things changed since the question: ask again
            refused = error
        except BaseException:
            context.close(Deadline.after(0.0))
            raise
        else:
            return context, why
    assert refused is not None, "one attempt at least was made"
    raise refused
