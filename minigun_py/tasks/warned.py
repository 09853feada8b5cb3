"""Warnings that a function raises while it is called, kept apart from those of everybody else.

The functions of several tasks may run in one process, as threads or as coroutines. Where Python
keeps its settings for warnings by context (it does where threads are free), each task has its own.
Elsewhere there is one place that shows warnings. While any task runs, that place asks whose a
warning is, and others are shown as before, but each time and not just the first.

*Lock order*: the lock guards how many run, and what was before; it is a leaf.
"""

from __future__ import annotations

import sys
import threading
import warnings
from contextvars import ContextVar
from typing import Any, Final

from minigun_py.outcome import Warned

__all__ = ["warnings_kept"]

_BY_CONTEXT: Final[bool] = getattr(sys.flags, "context_aware_warnings", False)

_mine: ContextVar[list[Warned] | None] = ContextVar("warnings of a task", default=None)


class warnings_kept:
    """What the calling code warns of meanwhile, and whatever it calls. Entered for every task."""

    __slots__ = ("_listening", "_token")

    def __enter__(self) -> list[Warned]:
        kept: list[Warned] = []
        self._token = _mine.set(kept)
        self._listening = _Listening() if _BY_CONTEXT else _everybody
        self._listening.__enter__()
        return kept

    def __exit__(self, *_: object) -> None:
        self._listening.__exit__()
        _mine.reset(self._token)


class _Listening:
    """Changes what becomes of warnings, for as long as anybody is within."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards what follows
        self._within = 0
        self._settings = warnings.catch_warnings()
        self._shown: Any = None

    def __enter__(self) -> None:
        with self._lock:
            self._within += 1
            if self._within == 1:
                self._settings, self._shown = warnings.catch_warnings(), warnings.showwarning
                self._settings.__enter__()
                warnings.simplefilter("always")
                warnings.showwarning = self._show

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._within -= 1
            if not self._within:
                self._settings.__exit__(None, None, None)

    def _show(self, message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
        kept = _mine.get()
        if kept is None:
            self._shown(message, category, *where, **more)
        else:
            filename, line, *_ = where
            kept.append(Warned(category, str(message), filename, line))


_everybody: Final = _Listening()
