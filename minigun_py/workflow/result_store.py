"""A file of results, in SQLite: what steps returned, by what they were given and their code.

It is open no longer than a look or a change takes, so it never travels through a fork, and runs may
share it. A process that is killed leaves it whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from minigun_py.errors import CheckpointError
from minigun_py.record import record

__all__ = ["KeptResult", "ResultStore", "usual_cache"]

APPLICATION: Final = 0x4D474E57
"""The application id in the head of the file, by which it is known as ours."""
VERSION: Final = 1
PATIENCE: Final = 30.0
"""Seconds to wait for another run that is writing."""

_SCHEMA: Final = f"""
BEGIN;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
CREATE TABLE IF NOT EXISTS results (
    workflow TEXT NOT NULL,
    step TEXT NOT NULL,
    code TEXT NOT NULL,
    inputs TEXT NOT NULL,
    value BLOB NOT NULL,
    duration REAL NOT NULL,
    UNIQUE (workflow, step, code, inputs)
);
COMMIT;
"""


@record
class KeptResult:
    """What a step returned once."""

    code: str
    inputs: Mapping[str, str]
    """For each parameter that which its argument is known by."""
    value: bytes
    """Pickled."""
    duration: float


class ResultStore:
    """The results of one workflow in a file, which is made when something is first kept.

    Raises:
        CheckpointError: There is a file that is none of results, or is damaged; it stays as it is.
    """

    def __init__(self, path: Path, workflow: str) -> None:
        self.path, self._workflow = path, workflow
        if self._is_there():
            with self._connected() as connection:
                told = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in _HEAD]
            if told != [APPLICATION, VERSION]:
                raise CheckpointError(
                    f"{path} is no file of the results of a workflow, or of another version; name "
                    "another file, or delete this one"
                )

    def find(self, step: str, code: str, inputs: Mapping[str, str]) -> KeptResult | None:
        """What a step returned when it had this code and was given this."""
        return self._newest("AND code = ? AND inputs = ?", step, code, _text(inputs))

    def newest(self, step: str) -> KeptResult | None:
        """What a step returned last."""
        return self._newest("", step)

    def keep(self, step: str, result: KeptResult) -> None:
        """Remember what a step returned. Raises `CheckpointError` if that cannot be written."""
        new = not self._is_there()
        if new:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        row = (self._workflow, step, result.code, _text(result.inputs), result.value)
        with self._connected() as connection:
            if new:
                connection.executescript(_SCHEMA)
            connection.execute(_KEEP, (*row, result.duration))

    def durations(self) -> dict[str, float]:
        """How long each step took last."""
        if not self._is_there():
            return {}
        with self._connected() as connection:
            return dict(connection.execute(_DURATIONS, (self._workflow,)))

    def _is_there(self) -> bool:
        return self.path.exists() and self.path.stat().st_size > 0

    def _newest(self, where: str, step: str, *more: str) -> KeptResult | None:
        if not self._is_there():
            return None
        with self._connected() as connection:
            row = connection.execute(
                f"{_LOOK} {where} ORDER BY rowid DESC LIMIT 1", (self._workflow, step, *more)
            ).fetchone()
        return None if row is None else KeptResult(row[0], json.loads(row[1]), row[2], row[3])

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
            with contextlib.closing(connection):
                connection.execute("PRAGMA synchronous = NORMAL")
                yield connection
        except sqlite3.Error as error:
            raise CheckpointError(f"{self.path} cannot be used: {error}") from error


_HEAD: Final = ("application_id", "user_version")
_LOOK: Final = "SELECT code, inputs, value, duration FROM results WHERE workflow = ? AND step = ?"
_KEEP: Final = "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?)"
_DURATIONS: Final = (
    "SELECT step, duration FROM results WHERE workflow = ? AND rowid IN "
    "(SELECT max(rowid) FROM results GROUP BY workflow, step)"
)


def _text(inputs: Mapping[str, str]) -> str:
    return json.dumps(inputs, sort_keys=True)


def usual_cache(name: str) -> Path:
    """Where the results of a workflow are cached if nobody says where."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "minigun_py" / f"{name}.db"
