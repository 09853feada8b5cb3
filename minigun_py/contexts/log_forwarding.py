"""Log records and warnings of a worker, on their way to the logging of the parent.

A worker has one handler, which sends. The parent hands the record to the logger of the same name,
so its handlers, filters and levels apply as if it had been logged there; the record has
``minigun_stage`` and ``minigun_worker``. Warnings come as records of ``py.warnings``, as with
``logging.captureWarnings``.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any

__all__ = ["Levels", "forward_records", "levels_here", "receive_record"]

Levels = dict[str, int]
"""Levels by logger; the root logger is the empty name."""


_SILENCED: list[logging.Handler] = []
"""Kept for ever: without a reference their files would be closed, and what the program had not
written yet would be written by the worker too."""


def levels_here() -> Levels:
    """The levels that are set in this process, for workers that do not inherit them."""
    root = logging.getLogger()
    return {"": root.level} | {
        name: logger.level
        for name, logger in root.manager.loggerDict.items()
        if isinstance(logger, logging.Logger)  # else it holds the place of one
    }


def forward_records(
    send: Callable[[dict[str, Any]], None], levels: Levels | None, stages: str, worker: int
) -> None:
    """In a worker: send every record, and let no other handler have it."""
    for name, level in (levels or {}).items():
        logging.getLogger(name).setLevel(level)
    root = logging.getLogger()
    for logger in (root, *root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):  # else it holds the place of one
            _SILENCED.extend(logger.handlers)
            logger.handlers = []
            logger.propagate = True
    root.addHandler(_Sender(send, stages, worker))
    warnings.showwarning = _log_warning


def receive_record(fields: dict[str, Any]) -> None:
    """In the parent: as if it had been logged here."""
    record = logging.makeLogRecord(fields)
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)


_PLAIN = (str, int, float, bool, type(None))
"""Types that mean the same everywhere; what is derived from them may not load in the parent."""


class _Sender(logging.Handler):
    """Sends what a record says as plain values: arguments and exceptions become text."""

    def __init__(self, send: Callable[[dict[str, Any]], None], stages: str, worker: int) -> None:
        super().__init__()
        self._send, self._stages, self._worker = send, stages, worker

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._send(self._fields(record))
        except Exception:  # as any handler does: a bad log call does no harm to its caller
            self.handleError(record)

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        fields = vars(record) | {"args": None, "exc_info": None, "msg": record.getMessage()}
        if record.exc_info and not record.exc_text:
            fields["exc_text"] = logging.Formatter().formatException(record.exc_info)
        fields.setdefault("minigun_stage", self._stages)
        fields.setdefault("minigun_worker", self._worker)
        return {name: _plain(value) for name, value in fields.items()}


def _plain(value: Any) -> Any:
    return value if type(value) in _PLAIN else repr(value)


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    text = warnings.formatwarning(message, category, filename, lineno, line)
    logging.getLogger("py.warnings").warning("%s", text)
