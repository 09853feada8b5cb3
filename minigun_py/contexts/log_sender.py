"""The handler of a worker's log records, which sends them to its parent; see `log_forwarding`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["levels_set", "send_all"]

_SILENCED: list[logging.Handler] = []
"""Kept for ever: without a reference their files would be closed, and what the program had not
written yet would be written by the worker too."""


def levels_set() -> dict[str, int]:
    """The levels of all loggers, by name; that of the root logger is the empty one."""
    root = logging.getLogger()
    return {"": root.level} | {
        name: logger.level
        for name, logger in root.manager.loggerDict.items()
        if isinstance(logger, logging.Logger)  # else it holds the place of one
    }


def send_all(
    send: Callable[[dict[str, Any]], None], levels: Mapping[str, int], stages: str, worker: int
) -> None:
    """Send every record from now on, and let no other handler have it."""
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    root = logging.getLogger()
    for logger in (root, *root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):  # else it holds the place of one
            _SILENCED.extend(logger.handlers)
            logger.handlers = []
            logger.propagate = True
    root.addHandler(_Sender(send, stages, worker))


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
