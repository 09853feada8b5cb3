"""The options of a stage: one frozen record, checked the moment it is made.

An unknown option is refused with the nearest right one; an option that a later version brings
is refused by name. Nothing is ever ignored.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

from minigun_py.errors import UsageError
from minigun_py.placement import ContextKind, Memory, ResourceHint, StartMethod, parse_kind
from minigun_py.plan.hints import checked_hints
from minigun_py.plan.rate import Rate, parse_rate
from minigun_py.plan.signature import is_coroutine, is_generator
from minigun_py.primitives.retry import Retry
from minigun_py.record import record

__all__ = [
    "DEFAULT_QUEUE_BYTES",
    "Ground",
    "OnError",
    "Options",
    "Reference",
    "Routing",
    "check_bytes",
    "check_positive",
    "check_seconds",
    "checked_options",
    "nearest",
    "plain_function",
    "refuse_later",
]

DEFAULT_QUEUE_SIZE: Final = 1000
DEFAULT_QUEUE_BYTES: Final = 256 * 1024 * 1024

Reference = str | Callable[..., Any] | object
"""How a stage may be named: by name, by its function, or by the stage itself."""

Routing = Literal["broadcast", "round_robin", "least_loaded", "partition"] | Callable[..., Any]
"""Who of several targets gets an item; a function of the item gives the targets by reference."""


OnError = Literal["fail", "skip", "dead_letter"] | Callable[..., Any]
"""What becomes of an item that has failed; a function of its `FailedItem` gives one of these."""


@record
class Ground:
    """What was said around a stage about where it runs: by its pipeline, or by a block in it."""

    execution: ContextKind | None = None
    workers: int | Literal["auto"] | None = None
    block: str | None = None
    """The ``defaults`` block or the named context that says so, in words that tell it apart."""
    shared: bool = False
    """Whether it is a named context, whose workers are bounded for all of its stages together."""


@record
class Options:
    """What a stage says about itself. None stands for "nothing said"."""

    execution: ContextKind | None = None
    workers: int | Literal["auto"] | None = None
    to: tuple[Reference, ...] | None = None
    from_: tuple[Reference, ...] = ()
    routes: tuple[Reference, ...] = ()
    feedback: tuple[Reference, ...] = ()
    routing: Routing = "broadcast"
    key: Callable[[Any], Any] | None = None
    ordered: bool = False
    queue_size: int = DEFAULT_QUEUE_SIZE
    queue_bytes: int = DEFAULT_QUEUE_BYTES
    chunk: int | None = None
    on_error: OnError | None = None
    dead_letter: Reference | None = None
    max_failures: float | None = None
    rate: Rate | None = None
    retry: Retry | None = None
    timeout: float | None = None
    stream: bool = False
    stream_outputs: bool = False
    resources: tuple[ResourceHint, ...] = ()
    setup: Callable[[], Any] | None = None
    teardown: Callable[[Any], Any] | None = None
    max_items_per_worker: int | None = None
    max_rss: int | None = None
    start_method: StartMethod | None = None
    fallback: Literal["nearest", "error"] = "nearest"
    ack: Callable[[Any], Any] | None = None
    ground: Ground = Ground()

    @property
    def policy(self) -> OnError:
        """What becomes of an item that has failed, if the run does not say."""
        if self.on_error is not None:
            return self.on_error
        if self.dead_letter is not None:
            return "dead_letter"
        return "fail" if self.max_failures is None else "skip"


def checked_options(given: dict[str, Any], where: str) -> Options:
    """The options as a record. Raises `UsageError`, naming `where`, at the first wrong one."""
    for name in given:
        if name not in _CHECKS:
            raise UsageError(f"{where}: there is no option {name!r}{nearest(name, _CHECKS)}")
    values = {name: _CHECKS[name](value, where) for name, value in given.items()}
    _check_failures(values, where)
    return Options(**values)


def _check_failures(said: dict[str, Any], where: str) -> None:
    """Refuse what would never have an effect beside the ``on_error`` that is said."""
    on_error = said.get("on_error")
    if said.get("dead_letter") is not None and on_error in ("fail", "skip"):
        raise UsageError(
            f"{where}: with on_error={on_error!r} no failed item would reach its dead_letter; "
            "say on_error='dead_letter', or a function that may return that"
        )
    if said.get("max_failures") is not None and on_error == "fail":
        raise UsageError(
            f"{where}: with on_error='fail' the first failure ends the run; with max_failures "
            "say on_error='skip' or 'dead_letter'"
        )


def check_positive(option: str, value: Any, where: str) -> int:
    """The value, which has to be a whole number from 1 on."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"{where}: {option} is a whole number from 1 on, not {value!r}")
    return value


def check_bytes(option: str, value: Any, where: str) -> int:
    """A number of bytes, as it is or as text. Raises `UsageError` for anything else."""
    with contextlib.suppress(UsageError):
        if isinstance(value, int | str):
            return Memory(value).amount
    raise UsageError(
        f"{where}: {option} is a number of bytes, or text such as '2GiB', not {value!r}"
    )


def check_seconds(option: str, value: Any, where: str) -> None:
    """Raise `UsageError` unless the value is None, or a number above 0."""
    wrong = isinstance(value, bool) or not isinstance(value, int | float) or not value > 0
    if value is not None and wrong:
        raise UsageError(f"{where}: {option} is a number of seconds above 0, not {value!r}")


def refuse_later(name: str, later: Iterable[str], what: str, where: str) -> None:
    """Raise if `name` is one that a later version brings."""
    if name in later:
        raise UsageError(f"{where}: {what} {name!r} is not available in this version of minigun_py")


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for an error message: the names most like `name`, or all of a few."""
    import difflib  # here: it is for those who err

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


def plain_function(option: str, value: Any, where: str) -> Callable[..., Any]:
    """The value, which has to be a function that returns, and neither yields nor waits."""
    function = _function(option)(value, where)
    if is_generator(function) or is_coroutine(function):
        what = "a generator" if is_generator(function) else "a coroutine function"
        raise UsageError(f"{where}: {option} is a plain function that returns, and not {what}")
    return function


def _plain(option: str) -> Callable[[Any, str], Any]:
    return lambda value, where: plain_function(option, value, where)


def _function(option: str) -> Callable[[Any, str], Callable[..., Any]]:
    def check(value: Any, where: str) -> Callable[..., Any]:
        if not callable(value):
            raise UsageError(f"{where}: {option} is a function, not {value!r}")
        return value  # type: ignore[no-any-return]

    return check


def _references(value: Any, _where: str) -> tuple[Reference, ...] | None:
    if value is None:
        return None
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _some_references(value: Any, where: str) -> tuple[Reference, ...]:
    return _references(value, where) or ()


def _flag(option: str) -> Callable[[Any, str], bool]:
    def check(value: Any, where: str) -> bool:
        if not isinstance(value, bool):
            raise UsageError(f"{where}: {option} is True or False, not {value!r}")
        return value

    return check


def _retry(value: Any, where: str) -> Retry:
    if isinstance(value, Retry):
        return value
    try:
        return Retry(value)
    except UsageError:
        raise UsageError(
            f"{where}: retry is the number of attempts, from 1 on, or a Retry, not {value!r}"
        ) from None


def _routing(value: Any, where: str) -> Routing:
    if not callable(value):
        names = ("broadcast", "round_robin", "least_loaded", "partition")
        return _one_of("routing", names)(value, where)  # type: ignore[no-any-return]
    return plain_function("routing", value, where)


def _on_error(value: Any, where: str) -> OnError:
    if callable(value):
        return plain_function("on_error", value, where)
    return _one_of("on_error", ("fail", "skip", "dead_letter"))(value, where)  # type: ignore[no-any-return]


def _max_failures(value: Any, where: str) -> float:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    if not known or not value >= 0 or (value > 1 and not float(value).is_integer()):
        raise UsageError(
            f"{where}: max_failures is a whole number, or a share of all items below 1, "
            f"not {value!r}"
        )
    return value  # type: ignore[no-any-return]


def _timeout(value: Any, where: str) -> float | None:
    check_seconds("timeout", value, where)
    return value  # type: ignore[no-any-return]


def _bytes(option: str) -> Callable[[Any, str], int]:
    return lambda value, where: check_bytes(option, value, where)


def _reference(value: Any, where: str) -> Reference:
    if isinstance(value, list | tuple):
        raise UsageError(f"{where}: dead_letter is one stage, not {value!r}")
    return value  # type: ignore[no-any-return]


def _one_of(option: str, choices: tuple[str, ...]) -> Callable[..., Any]:
    def check(value: Any, where: str) -> str:
        if value not in choices:
            raise UsageError(f"{where}: no {option} {value!r}{nearest(str(value), choices)}")
        return str(value)

    return check


_CHECKS: Final[dict[str, Callable[[Any, str], Any]]] = {
    "execution": _execution,
    "workers": _workers,
    "to": _references,
    "from_": _some_references,
    "routes": _some_references,
    "feedback": _some_references,
    "routing": _routing,
    "key": _optional(_plain("key")),
    "ordered": _flag("ordered"),
    "queue_size": _positive("queue_size"),
    "queue_bytes": _bytes("queue_bytes"),
    "chunk": _optional(_positive("chunk")),
    "on_error": _optional(_on_error),
    "dead_letter": _optional(_reference),
    "max_failures": _optional(_max_failures),
    "rate": _optional(parse_rate),
    "retry": _optional(_retry),
    "timeout": _timeout,
    "stream": _flag("stream"),
    "stream_outputs": _flag("stream_outputs"),
    "resources": checked_hints,
    "setup": _optional(_function("setup")),
    "teardown": _optional(_function("teardown")),
    "max_items_per_worker": _optional(_positive("max_items_per_worker")),
    "max_rss": _optional(_bytes("max_rss")),
    "start_method": _optional(_one_of("start_method", ("spawn", "forkserver"))),
    "fallback": _one_of("fallback", ("nearest", "error")),
    "ack": _optional(_plain("ack")),
}
