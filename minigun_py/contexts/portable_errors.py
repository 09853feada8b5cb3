"""Exceptions on their way between a worker and its parent, and those that say what cannot go.

An exception is tried before it travels: one that cannot be rebuilt (a constructor with other
parameters is enough) would otherwise fail in the parent, where nobody could tell what it was.
"""

from __future__ import annotations

import pickle

from minigun_py.errors import NotPicklable, RemoteError

__all__ = [
    "RemoteTraceback",
    "not_arrived",
    "not_rebuilt",
    "not_sent",
    "not_sent_back",
    "pack_error",
    "unpack_error",
    "unsendable",
]


class RemoteTraceback(Exception):
    """Carries the text of a traceback from another process, as the cause of the error."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"\n\n{self.text}"


def pack_error(error: Exception) -> tuple[Exception, str]:
    """An exception that can be rebuilt elsewhere, and the text of its traceback."""
    import traceback  # here: it is for runs in which something fails

    text = "".join(traceback.format_exception(error))
    try:
        copy = pickle.loads(pickle.dumps(error, protocol=5))
    except Exception:
        copy = None
    if type(copy) is type(error):
        return error, text
    kind = type(error)
    return RemoteError(f"{kind.__module__}.{kind.__qualname__}", str(error)), text


def unpack_error(packed: tuple[Exception, str]) -> Exception:
    """The exception again, with its remote traceback as the cause."""
    error, text = packed
    error.__cause__ = RemoteTraceback(text)
    return error


def not_sent(error: Exception) -> NotPicklable:
    """An item cannot be pickled."""
    return NotPicklable(f"an item cannot be sent to a worker process: {_described(error)}")


def not_arrived(error: Exception) -> NotPicklable:
    """An item came to a worker, and cannot be unpickled."""
    return NotPicklable(f"an item cannot be rebuilt in a worker: {_described(error)}")


def not_sent_back(error: Exception) -> NotPicklable:
    """A result cannot be pickled."""
    return NotPicklable(f"a result cannot be sent back from a worker: {_described(error)}")


def not_rebuilt(error: Exception) -> NotPicklable:
    """A result came, and cannot be unpickled."""
    return NotPicklable(f"a result cannot be rebuilt here: {_described(error)}")


def unsendable(stage: str, error: Exception) -> NotPicklable:
    """A stage that holds items has emitted what does not cross: it cannot be run again."""
    return NotPicklable(f"{stage} emits what cannot be sent back from a worker: {error}")


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
