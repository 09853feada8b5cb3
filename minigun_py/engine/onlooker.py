"""Shows how a run stands, now and then, while it goes on.

*Threads*: one, which reads the statistics of the run and draws. `close` ends it.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from minigun_py.engine.report import RunReport
from minigun_py.primitives.daemon import daemon_thread

__all__ = ["Onlooker", "View"]

TURN: Final = 0.25
"""Seconds between two looks."""


class View(AbstractContextManager[Any], Protocol):
    """Somewhere to show a run. It is used in a ``with``."""

    def show(self, report: RunReport) -> None:
        """Show how the run stands, if it is time and something has changed."""
        ...


class Onlooker:
    """Looks at one run. What goes wrong in its view is warned of, and ends the view alone."""

    def __init__(self, view: View, statistics: Callable[[], RunReport]) -> None:
        self._view, self._statistics = view, statistics
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Begin to look."""
        self._thread = daemon_thread(self._look, (), "minigun-progress")
        self._thread.start()

    def close(self) -> None:
        """Look no more, and give the terminal back. Can be called twice."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()  # it is between two looks

    def _look(self) -> None:
        try:
            with self._view as view:
                while not self._over.wait(TURN):
                    view.show(self._statistics())
        except Exception as error:
            text = f"the progress of the run cannot be shown: {type(error).__name__}: {error}"
            warnings.warn(text, RuntimeWarning, stacklevel=2)
