"""The decorators by which hooks are declared. What a hook is stands in `plan.hooks`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from minigun_py.plan.hooks import Hook, checked_hook
from minigun_py.plan.options import Reference

__all__ = ["HookDecorators"]

F = TypeVar("F", bound=Callable[..., Any])


class HookDecorators:
    """Whatever can be given hooks."""

    _hooks: list[Hook]

    def before_run(self, function: F, /) -> F:
        """Call a function once before anything is started: forks inherit what it makes."""
        return self._hook("before_run", function)

    def after_run(self, function: F, /) -> F:
        """Call a function once when the run has ended, however. It may take the report."""
        return self._hook("after_run", function)

    def before_fork(self, function: F, /) -> F:
        """Call a function once in this process before the run forks; not if it never does."""
        return self._hook("before_fork", function)

    def after_fork(self, function: F, /) -> F:
        """Call a function in each forked worker before anything else."""
        return self._hook("after_fork", function)

    def on_failure(self, function: F, /) -> F:
        """Call a function, here, with every item that has failed for good, a `FailedItem`."""
        return self._hook("on_failure", function)

    def before(self, stage: Reference, /) -> Callable[[F], F]:
        """Call a function once, here, before a stage gets its first item, and after any fork."""
        return lambda function: self._hook("before", function, stage)

    def after(self, stage: Reference, /) -> Callable[[F], F]:
        """Call a function once, here, when a stage has ended."""
        return lambda function: self._hook("after", function, stage)

    def _hook(self, kind: str, function: F, stage: Reference | None = None) -> F:
        self._hooks.append(checked_hook(kind, function, stage))
        return function
