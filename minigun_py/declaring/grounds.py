"""What is said around a stage: by its pipeline, by blocks, and by named contexts."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from minigun_py.errors import UsageError
from minigun_py.placement import ContextKind, parse_kind
from minigun_py.plan.options import (
    Ground,
    Options,
    check_positive,
    checked_options,
    nearest,
)
from minigun_py.plan.placing import check_stoppable
from minigun_py.record import replace

__all__ = ["DEFAULTS", "LIMITS", "Grounds", "caller"]

DEFAULTS: Final = (
    "execution", "workers", "queue_size", "queue_bytes", "on_error", "retry", "timeout",
)  # fmt: skip
"""What can be said for all stages of a pipeline."""

LIMITS: Final = ("max_threads", "max_processes")
"""Bounds on the workers of all stages together."""

_BLOCK_OPTIONS: Final = (*DEFAULTS, "chunk", "start_method", "fallback", "max_items_per_worker")
_WHERE: Final = ("execution", "workers")
_OF_KIND: Final = ("start_method",)
"""What a block says of the kind that it names, and so not of another."""
_OF_WORKERS: Final = (*_OF_KIND, "max_items_per_worker")
"""What it says of workers, and so not of a stage that has none."""


class Grounds:
    """What holds for the stages that are declared now."""

    def __init__(self, where: str, defaults: dict[str, Any]) -> None:
        for option in defaults:
            if option not in (*DEFAULTS, *LIMITS):
                known = nearest(option, (*DEFAULTS, *LIMITS))
                raise UsageError(f"{where}: no option {option!r}{known}")
        said = {option: value for option, value in defaults.items() if option in DEFAULTS}
        self.limits = {n: defaults[n] for n in LIMITS if defaults.get(n) is not None}
        for option, limit in self.limits.items():
            check_positive(option, limit, where)
        checked = checked_options(said, where)
        if checked.timeout is not None and checked.execution is not None:
            check_stoppable(checked.execution, where)
        self.pipeline = Ground(checked.execution, checked.workers)
        """What the pipeline says about where its stages run."""
        self.defaults = {n: value for n, value in said.items() if n not in _WHERE}
        """What it says about everything else."""
        self._contexts: dict[str, Ground] = {}
        self._blocks: list[tuple[dict[str, Any], Ground | None]] = []

    def inherit(self, outer: Grounds, said: Iterable[str]) -> None:
        """Know the contexts of the pipeline around this one, and the block that it is declared in.

        What is said for this pipeline itself comes before what its block says.
        """
        self._contexts = dict(outer._contexts)
        if outer._blocks:
            around, ground = outer._blocks[-1]
            others = {option: value for option, value in around.items() if option not in said}
            self._blocks = [(others, None if {*said} & {*_WHERE} else ground)]

    def name_context(self, name: str, execution: str, workers: int | None) -> None:
        """Let stages say ``execution=name``."""
        where = f"context {name!r}"
        if name in self._contexts or name in [kind.value for kind in ContextKind]:
            raise UsageError(f"{where}: there is one of this name already")
        said = checked_options({"execution": execution, "workers": workers}, where)
        self._contexts[name] = Ground(said.execution, said.workers, where, shared=True)

    @contextmanager
    def block(self, where: str, said: dict[str, Any]) -> Iterator[None]:
        """Say something for all stages that are declared meanwhile."""
        for option in said:
            if option not in _BLOCK_OPTIONS:
                known = nearest(option, _BLOCK_OPTIONS)
                raise UsageError(f"{where}: {option!r} cannot be said for a block{known}")
        around, ground = self._blocks[-1] if self._blocks else ({}, None)
        ground = self._named(said, where) or self._of_block(said, ground, where)
        others = {option: value for option, value in said.items() if option not in _WHERE}
        checked_options(others, where)
        self._blocks.append((around | others, ground))
        try:
            yield
        finally:
            self._blocks.pop()

    def options(
        self, given: dict[str, Any], where: str, stays: bool = False, timed: bool = False
    ) -> Options:
        """The options of a stage that is declared now. Raises `UsageError`.

        A stage that `stays` has its place in the caller, whatever is said around it. A time limit
        that is said around it holds for a `timed` one.
        """
        around, ground = self._blocks[-1] if self._blocks else ({}, None)
        others = _OF_WORKERS if stays else _OF_KIND if given.get("execution") is not None else ()
        others = others if timed else (*others, "timeout")
        around = self.defaults | around
        around = {option: value for option, value in around.items() if option not in others}
        said = self.said(around | given, where)
        if stays or ground is None or said.ground.block:
            return said
        return replace(said, ground=ground)

    def said(self, given: dict[str, Any], where: str) -> Options:
        """What a stage says itself, a named context included."""
        named = self._named(given, where)
        if named is None:
            return checked_options(given, where)
        others = {option: value for option, value in given.items() if option not in _WHERE}
        return replace(checked_options(others, where), ground=named)

    def _named(self, said: dict[str, Any], where: str) -> Ground | None:
        """The named context that is meant, if one is."""
        execution = said.get("execution")
        if not isinstance(execution, str) or not self._contexts:
            return None
        if execution in self._contexts:
            if said.get("workers") is not None:
                raise UsageError(f"{where}: context {execution!r} has workers of its own")
            return self._contexts[execution]
        try:
            parse_kind(execution)
        except UsageError as error:
            names = ", ".join(self._contexts)
            raise UsageError(f"{where}: {error}; this pipeline has the contexts {names}") from None
        return None

    @staticmethod
    def _of_block(said: dict[str, Any], around: Ground | None, where: str) -> Ground | None:
        mine = checked_options({n: v for n, v in said.items() if n in _WHERE}, where)
        if mine.execution is None and mine.workers is None:
            return around
        outer = around or Ground()
        execution = mine.execution or outer.execution
        workers = mine.workers or (outer.workers if mine.execution is None else None)
        return Ground(execution, workers, where)


def caller() -> str:
    """The file and line of the first caller outside of this package."""
    frame = sys._getframe(1)  # noqa: SLF001 - documented all the same
    inside = __name__.partition(".")[0] + "."
    while frame.f_back is not None:
        module = frame.f_globals.get("__name__", "")
        if not module.startswith(inside) and module != "contextlib":
            break
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
