"""What is said of one run of a workflow."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypedDict

from minigun_py.clock import SYSTEM_CLOCK, Clock
from minigun_py.contexts.cpus import number_in
from minigun_py.contexts.surroundings import Surroundings
from minigun_py.errors import UsageError
from minigun_py.events import Observer
from minigun_py.plan.options import check_bytes, check_positive, check_seconds, nearest
from minigun_py.primitives.cancel import CancelToken
from minigun_py.workflow.placing import Room
from minigun_py.workflow.result import StepResult

__all__ = ["OnError", "WorkflowRunOptions", "checked", "room_of"]

CPU_VARIABLE: Final = "MINIGUN_CPU_WORKERS"
IO_VARIABLE: Final = "MINIGUN_IO_WORKERS"
IO_SLOTS: Final = 32
"""So many steps wait for I/O at once, if nothing is said."""

OnError = Literal["skip", "fail"] | Callable[[StepResult], Literal["skip", "fail"]]
"""Whether a step that has failed takes with it what depends on it, or all."""


class WorkflowRunOptions(TypedDict, total=False):
    """What may be said of a run."""

    cancel: CancelToken | None
    progress: Observer | Iterable[Observer]
    sequential: bool
    max_cpu: int | None
    max_io: int | None
    memory: int | str | None
    timeout: float | None
    on_error: OnError
    fail_fast: bool
    checkpoint: str | os.PathLike[str] | None
    clock: Clock


_USUAL: Final = {
    "cancel": None,
    "progress": (),
    "sequential": False,
    "max_cpu": None,
    "max_io": None,
    "memory": None,
    "timeout": None,
    "on_error": "skip",
    "fail_fast": False,
    "checkpoint": None,
    "clock": SYSTEM_CLOCK,
}


def checked(said: Mapping[str, Any], where: str) -> dict[str, Any]:
    """All options of a run. Raises `UsageError` for what is unknown or makes no sense."""
    for name in said:
        if name not in _USUAL:
            raise UsageError(f"{where}: run has no option {name!r}{nearest(name, _USUAL)}")
    options = {**_USUAL, **said}
    for name in ("sequential", "fail_fast"):
        if not isinstance(options[name], bool):
            raise UsageError(f"{where}: {name} is True or False, not {options[name]!r}")
    for name in ("max_cpu", "max_io"):
        if options[name] is not None:
            check_positive(name, options[name], where)
    check_seconds("timeout", options["timeout"], where)
    options["progress"] = _observers(options["progress"], where)
    if options["memory"] is not None:
        options["memory"] = check_bytes("memory", options["memory"], where)
    options["checkpoint"] = None if options["checkpoint"] is None else Path(options["checkpoint"])
    on_error = options["on_error"]
    if on_error not in ("skip", "fail") and not callable(on_error):
        raise UsageError(
            f"{where}: on_error is 'skip', 'fail', or a function of a StepResult that gives one of "
            f"them, not {on_error!r}"
        )
    if options["fail_fast"]:
        options["on_error"] = "fail"
    cancel = options["cancel"]
    if cancel is not None and not isinstance(cancel, CancelToken):
        raise UsageError(f"{where}: cancel is a CancelToken, not {cancel!r}")
    return options


def room_of(options: Mapping[str, Any], limits: Mapping[str, int], here: Surroundings) -> Room:
    """What there is for the steps of a run. Raises `UsageError`."""
    cpu = options["max_cpu"] or number_in(CPU_VARIABLE) or here.cpus
    io = options["max_io"] or number_in(IO_VARIABLE) or IO_SLOTS
    memory, said = options["memory"], options["memory"] is not None
    gpus = max(1, here.gpus)
    return Room(cpu, io, memory if said else here.memory, limits, gpus, said)


def _observers(progress: Any, where: str) -> tuple[Observer, ...]:
    listed = (progress,) if callable(progress) else progress
    if not isinstance(listed, Iterable) or isinstance(listed, str):
        raise UsageError(f"{where}: progress is a function of an event, or several, not {listed!r}")
    found = tuple(listed)
    for observer in found:
        if not callable(observer):
            raise UsageError(f"{where}: progress is a function of an event, not {observer!r}")
    return found
