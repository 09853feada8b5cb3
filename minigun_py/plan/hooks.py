"""What a program wants to have called around a run, around a fork, and around a stage.

A hook is a plain function without parameters; `after_run` may take the report, and `on_failure`
takes the failed item. Hooks of a pipeline within another are called as if they were the outer
pipeline's own, in the order in which they were declared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from minigun_py.errors import UsageError
from minigun_py.plan.options import Reference, plain_function
from minigun_py.plan.signature import location
from minigun_py.record import record

__all__ = ["HOOKS", "STAGE_HOOKS", "Hook", "Hooks", "checked_hook", "takes_argument"]

HOOKS: Final = ("before_run", "after_run", "before_fork", "after_fork", "on_failure")
"""Hooks of a whole pipeline."""

STAGE_HOOKS: Final = ("before", "after")
"""Hooks of one stage."""

_TAKES: Final = {"after_run": (0, 1), "on_failure": (1, 1)}


@record
class Hook:
    """A function and when it is called; `stage` is given for the hooks of one stage."""

    kind: str
    function: Callable[..., Any]
    stage: Reference | None = None


class Hooks:
    """The hooks of a run, by kind. Stages are known by their paths here."""

    def __init__(self, hooks: Iterable[Hook] = ()) -> None:
        self._hooks = tuple(hooks)

    def of(self, kind: str) -> tuple[Callable[..., Any], ...]:
        """The functions of one kind, in order of definition."""
        return tuple(hook.function for hook in self._hooks if hook.kind == kind)

    def of_stage(self, kind: str, stage: str) -> tuple[Callable[..., Any], ...]:
        """The functions for one stage, in order of definition."""
        return tuple(h.function for h in self._hooks if h.kind == kind and h.stage == stage)

    def __bool__(self) -> bool:
        return bool(self._hooks)


def checked_hook(
    kind: str, function: Any, stage: Reference | None = None, bound: bool = True
) -> Hook:
    """A hook, if the function can be one. Raises `UsageError`.

    `bound` is False for a function that will be a method, whose first parameter is ``self``.
    """
    at = location(function)
    where = f"hook {kind}" + (f" ({at})" if at else "")
    plain_function("a hook", function, where)
    least, most = _TAKES.get(kind, (0, 0))
    extra = 0 if bound else 1
    import inspect  # here: few pipelines have hooks

    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a built-in that does not tell its signature
        return Hook(kind, function, stage)
    for count in range(least, most + 1):
        try:
            signature.bind(*[None] * (count + extra))
        except TypeError:
            continue
        return Hook(kind, function, stage)
    takes = "no parameter" if most == 0 else "the report or nothing" if least == 0 else "one"
    what = {"on_failure": "the failed item"}.get(kind, takes)
    raise UsageError(f"{where}: it takes {what}, and not {signature}")


def takes_argument(function: Callable[..., Any]) -> bool:
    """Whether a hook that may take an argument does."""
    import inspect

    try:
        inspect.signature(function).bind(None)
    except (TypeError, ValueError):
        return False
    return True
