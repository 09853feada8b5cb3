"""Log records and warnings of a worker, on their way to the logging of the parent.

A worker has one handler, which sends. The parent hands the record to the logger of the same name,
so its handlers, filters and levels apply as if it had been logged there; the record has
``minigun_stage`` and ``minigun_worker``. Warnings come as records of ``py.warnings``, as with
``logging.captureWarnings``.

``logging`` takes as long to import as all that a forked worker needs. So nothing here imports it
before somebody else has: a worker that has inherited none waits for the first who asks for it.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from importlib.abc import Loader

__all__ = ["Levels", "forward_records", "levels_here", "receive_record"]

Levels = dict[str, int]
"""Levels by logger; the root logger is the empty name."""

Send = Callable[[dict[str, Any]], None]

if "logging" in sys.modules:  # then workers inherit this too, and need not import it
    import_module("minigun_py.contexts.log_sender")


def levels_here() -> Levels:
    """The levels that are set in this process, for workers that do not inherit them."""
    if "logging" not in sys.modules:
        return {}
    from minigun_py.contexts.log_sender import levels_set

    return levels_set()


def forward_records(send: Send, levels: Levels | None, stages: str, worker: int) -> None:
    """In a worker: send every record, and let no other handler have it."""

    def begin() -> None:
        from minigun_py.contexts.log_sender import send_all

        send_all(send, levels or {}, stages, worker)

    if levels or "logging" in sys.modules:
        begin()
    else:
        sys.meta_path.insert(0, _LoggingComes(begin))
    warnings.showwarning = _log_warning


def receive_record(fields: dict[str, Any]) -> None:
    """In the parent: as if it had been logged here."""
    import logging

    record = logging.makeLogRecord(fields)
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)


class _LoggingComes:
    """A finder of modules that leaves them all to others, and calls back once `logging` is there.

    That is before the import returns, so no record is made without.
    """

    def __init__(self, then: Callable[[], None]) -> None:
        self._then = then

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: Any = None
    ) -> ModuleSpec | None:
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec  # here: few workers come to this

        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = cast("Loader", _TellingLoader(spec.loader, self._then))
        return spec


class _TellingLoader:
    """A loader that calls back once its module is loaded. For all else it is the one behind it."""

    def __init__(self, loader: Loader, then: Callable[[], None]) -> None:
        self._loader, self._then = loader, then

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._then()


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    import logging

    text = warnings.formatwarning(message, category, filename, lineno, line)
    logging.getLogger("py.warnings").warning("%s", text)
