"""What may help against an error, by its type.

How::

    register_suggestion(FileNotFoundError, "run `make data` first")
    register_suggestion(HTTPError, lambda error: f"look at the status of {error.url}")

What is registered later, and for a nearer type, is told first.

*Threads*: registering replaces a tuple, so whoever reads sees all of it or nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from minigun_py.errors import ItemTimedOut, NotPicklable, RemoteError, UsageError, WorkerDied

__all__ = ["Suggestion", "register_suggestion", "suggestions_for"]

E = TypeVar("E", bound=BaseException)

Suggestion = str | Callable[[Any], str]
"""A sentence; or what makes one of the error."""

_KNOWN: Final[dict[type[BaseException], tuple[Suggestion, ...]]] = {
    FileNotFoundError: ("check the path, and from which directory it is meant",),
    PermissionError: ("check who owns the file or the port, and what this user may do",),
    ConnectionError: ("check that the other side runs and can be reached; a retry may help",),
    TimeoutError: ("give it more time, or find out what it waits for",),
    ItemTimedOut: ("give it more time, or find out what it waits for",),
    MemoryError: ("give it more memory, or less to do at once",),
    ModuleNotFoundError: ("install the module where the work runs",),
    NotPicklable: ("keep it in one process, with execution='thread', or send what it is made of",),
    RemoteError: ("give the exception a constructor that takes its args, so that it can cross",),
    WorkerDied: ("look for a crash in native code, or for a process that ran out of memory",),
    UsageError: ("the message says what to change in the call",),
}


def register_suggestion(error_type: type[E], suggestion: str | Callable[[E], str]) -> None:
    """Tell what may help against errors of a type, and of those that derive from it.

    Raises:
        UsageError: It is no exception type, or neither text nor a function.
    """
    given: Any = error_type
    if not (isinstance(given, type) and issubclass(given, BaseException)):
        raise UsageError(f"register_suggestion: takes a type of exception, not {error_type!r}")
    if not (isinstance(suggestion, str) or callable(suggestion)):
        raise UsageError(
            f"register_suggestion: a suggestion is text, or a function of the error that gives "
            f"some, not {suggestion!r}"
        )
    _KNOWN[error_type] = (suggestion, *_KNOWN.get(error_type, ()))


def suggestions_for(error: BaseException) -> tuple[str, ...]:
    """What may help, the most particular first. A function that raises suggests nothing."""
    told: dict[str, None] = {}
    for kind in type(error).__mro__:
        for suggestion in _KNOWN.get(kind, ()):
            text = _text(suggestion, error)
            if text:
                told[text] = None
    return tuple(told)


def _text(suggestion: Suggestion, error: BaseException) -> str:
    if isinstance(suggestion, str):
        return suggestion
    try:
        return str(suggestion(error))
    except Exception:  # it is only advice
        return ""
