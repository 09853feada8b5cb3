"""The options of a stage: one frozen record, checked the moment it is made.

An unknown option is refused with the nearest right one; an option that a later version brings
is refused by name. Nothing is ever ignored.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from minigun_py.errors import UsageError
from minigun_py.placement import ContextKind, ResourceHint, StartMethod, parse_kind
from minigun_py.plan.hints import checked_hints

__all__ = [
    "LATER_OPTIONS",
    "StageOptions",
    "check_positive",
    "checked_options",
    "nearest",
    "refuse_later",
]

DEFAULT_QUEUE_SIZE: Final = 1000

LATER_OPTIONS: Final = frozenset((
        "routes", "feedback", "key", "queue_bytes", "rate", "retry", "timeout", "dead_letter",
        "max_failures", "ack", "stream", "stream_outputs", "max_rss",
))  # fmt: skip
"""Options of a stage that the design names and this version does not have yet."""

Reference = str | Callable[..., Any] | object
"""How a stage may be named: by name, by its function, or by the stage itself."""


@dataclass(frozen=True, slots=True)
class StageOptions:
    """What a stage says about itself. None stands for "nothing said"."""

    execution: ContextKind | None = None
    workers: int | Literal["auto"] | None = None
    to: tuple[Reference, ...] | None = None
    from_: tuple[Reference, ...] = ()
    routing: Literal["broadcast", "round_robin"] = "broadcast"
    ordered: bool = False
    queue_size: int = DEFAULT_QUEUE_SIZE
    chunk: int | None = None
    on_error: Literal["fail", "skip"] = "fail"
    resources: tuple[ResourceHint, ...] = ()
    setup: Callable[[], Any] | None = None
    teardown: Callable[[Any], Any] | None = None
    max_items_per_worker: int | None = None
    start_method: StartMethod | None = None
    fallback: Literal["nearest", "error"] = "nearest"


def checked_options(given: dict[str, Any], where: str) -> StageOptions:
    """The options as a record. Raises `UsageError`, naming `where`, at the first wrong one."""
    known = [field.name for field in fields(StageOptions)]
    for name in given:
        if name not in known:
            refuse_later(name, LATER_OPTIONS, "option", where)
            raise UsageError(f"{where}: there is no option {name!r}{nearest(name, known)}")
    values = {name: _CHECKS[name](value, where) for name, value in given.items()}
    return StageOptions(**values)


def check_positive(option: str, value: Any, where: str) -> int:
    """The value, which has to be a whole number from 1 on."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"{where}: {option} is a whole number from 1 on, not {value!r}")
    return value


def refuse_later(name: str, later: Iterable[str], what: str, where: str) -> None:
    """Raise if `name` is one that a later version brings."""
    if name in later:
        raise UsageError(f"{where}: {what} {name!r} is not available in this version of minigun_py")


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for an error message: the names most like `name`, or all of a few."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=3)
    if close:
        return "; did you mean " + " or ".join(map(repr, close)) + "?"
    return "; there are " + ", ".join(map(repr, names)) if names else ""


def _execution(value: Any, where: str) -> ContextKind | None:
    if value is None:
        return None
    try:
        return parse_kind(value)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


def _workers(value: Any, where: str) -> int | Literal["auto"] | None:
    if value is None or value == "auto":
        return value  # type: ignore[no-any-return]
    if isinstance(value, tuple):
        raise UsageError(f"{where}: workers=(min, max) is not available in this version")
    return _positive("workers")(value, where)


def _positive(option: str) -> Callable[[Any, str], int]:
    return lambda value, where: check_positive(option, value, where)


def _optional(check: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    return lambda value, where: None if value is None else check(value, where)


def _function(option: str) -> Callable[[Any, str], Any]:
    def check(value: Any, where: str) -> Any:
        if not callable(value):
            raise UsageError(f"{where}: {option} is a function, not {value!r}")
        return value

    return check


def _references(value: Any, _where: str) -> tuple[Reference, ...] | None:
    if value is None:
        return None
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _from(value: Any, where: str) -> tuple[Reference, ...]:
    return _references(value, where) or ()


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{where}: ordered is True or False, not {value!r}")
    return value


def _one_of(
    option: str, choices: tuple[str, ...], later: tuple[str, ...] = ()
) -> Callable[..., Any]:
    def check(value: Any, where: str) -> str:
        if callable(value) or value in later:
            raise UsageError(f"{where}: {option}={value!r} is not available in this version")
        if value not in choices:
            raise UsageError(f"{where}: no {option} {value!r}{nearest(str(value), choices)}")
        return str(value)

    return check


_CHECKS: Final[dict[str, Callable[[Any, str], Any]]] = {
    "execution": _execution,
    "workers": _workers,
    "to": _references,
    "from_": _from,
    "routing": _one_of("routing", ("broadcast", "round_robin"), ("least_loaded", "partition")),
    "ordered": _flag,
    "queue_size": _positive("queue_size"),
    "chunk": _optional(_positive("chunk")),
    "on_error": _one_of("on_error", ("fail", "skip"), ("dead_letter",)),
    "resources": checked_hints,
    "setup": _optional(_function("setup")),
    "teardown": _optional(_function("teardown")),
    "max_items_per_worker": _optional(_positive("max_items_per_worker")),
    "start_method": _optional(_one_of("start_method", ("spawn", "forkserver"))),
    "fallback": _one_of("fallback", ("nearest", "error")),
}
