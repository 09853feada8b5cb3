"""The options of a run, checked the moment they are given."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from minigun_py.clock import SYSTEM_CLOCK, Clock
from minigun_py.engine.checkpoint import Checkpoint
from minigun_py.errors import UsageError
from minigun_py.events import Observer
from minigun_py.plan.options import (
    OnError,
    check_positive,
    check_seconds,
    checked_options,
    nearest,
    refuse_later,
)
from minigun_py.primitives.cancel import CancelToken

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LATER_RUN_OPTIONS", "RunOptions", "check_iterable"]

LATER_RUN_OPTIONS: Final = frozenset(("attach",))
"""Options of a run that the design names and this version does not have yet."""


class RunOptions:
    """What the caller of a run said. Raises `UsageError` at the first thing that is wrong."""

    def __init__(self, where: str, options: dict[str, Any]) -> None:
        self.execution: str | None = None
        self.cancel: CancelToken | None = None
        self.timeout: float | None = None
        self.on_error: OnError | None = None
        self.observers: Sequence[Observer] = ()
        self.stages: Mapping[str, Mapping[str, Any]] = {}
        self.capsules: Path | None = None
        self.checkpoint: Checkpoint | None = None
        self.progress = False
        self.total: int | None = None
        self.strict = False
        self.clock: Clock = SYSTEM_CLOCK
        known = list(vars(self))
        for name, value in options.items():
            if name not in known:
                refuse_later(name, LATER_RUN_OPTIONS, "run option", where)
                raise UsageError(f"{where}: no run option {name!r}{nearest(name, known)}")
            setattr(self, name, value)
        self._check(where, options)

    def _check(self, where: str, options: dict[str, Any]) -> None:
        """Refuse values of a wrong kind; `options` has them without their types."""
        if self.on_error is not None:
            checked_options({"on_error": self.on_error}, where)
        check_seconds("timeout", options.get("timeout"), where)
        if not isinstance(options.get("cancel"), CancelToken | None):
            raise UsageError(f"{where}: cancel is a CancelToken, not {self.cancel!r}")
        observers = options.get("observers", ())
        if not isinstance(observers, list | tuple) or not all(map(callable, observers)):
            raise UsageError(f"{where}: observers is a list of functions, not {observers!r}")
        capsules = options.get("capsules")
        if not isinstance(capsules, str | os.PathLike | None):
            raise UsageError(f"{where}: capsules is the path of a directory, not {capsules!r}")
        self.capsules = None if capsules is None else _path(capsules)
        if self.capsules is not None and self.capsules.exists() and not self.capsules.is_dir():
            raise UsageError(f"{where}: capsules={capsules!r} is no directory")
        for name in ("progress", "strict"):
            if not isinstance(options.get(name, False), bool):
                raise UsageError(f"{where}: {name} is True or False, not {options[name]!r}")
        if self.strict and self.execution != "inline":
            raise UsageError(
                f"{where}: strict=True is for execution='inline', where it pickles what would have "
                "to be pickled elsewhere; say both"
            )
        if self.total is not None:
            check_positive("total", self.total, where)
        checkpoint = options.get("checkpoint")
        if isinstance(checkpoint, str | os.PathLike):
            self.checkpoint = Checkpoint(checkpoint)
        elif not isinstance(checkpoint, Checkpoint | None):
            raise UsageError(
                f"{where}: checkpoint is the path of a file, or a Checkpoint, not {checkpoint!r}"
            )
        if not isinstance(options.get("stages", {}), Mapping):
            raise UsageError(f"{where}: stages is {{name: {{option: value}}}}, not {self.stages!r}")


def check_iterable(items: Any, where: str) -> Iterable[Any]:
    """The items, which have to be iterable."""
    try:
        iter(items)
    except TypeError:
        raise UsageError(f"{where}: the items are any iterable, not {items!r}") from None
    return items  # type: ignore[no-any-return]


def _path(said: str | os.PathLike[str]) -> Path:
    from pathlib import Path  # here: few runs are given one

    return Path(said)
