"""The file of a checkpoint: which items of the sources are finished, in SQLite.

An item is recorded the moment it is finished, in a transaction that a killed process leaves whole.
It is written without waiting for the disk, so that what a power cut may take is the last moments:
these items are run again. The file is locked for as long as it is open.

A key is told with how often it came: if a source gives it twice, both are to be finished.

*Invariants*: a file that cannot be used is left as it is. It never travels through a fork: it is
opened when the workers are there. *Lock order*: the lock guards the connection and what could not
be written; a leaf.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import threading
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from minigun_py.clock import Clock
from minigun_py.engine.checkpoint import Checkpoint
from minigun_py.errors import CheckpointError

__all__ = ["CheckpointFile", "Record"]

Record = tuple[str, str, bool]
"""A source, the key of an item, and whether it ended as a dead letter."""

MAGIC: Final = b"SQLite format 3\0"
APPLICATION: Final = 0x4D474E43
"""The application id in the head of the file, by which it is known as ours."""
VERSION: Final = 1
RETRY_SECONDS: Final = 1.0
"""After a write that failed the next is tried no sooner."""

_SCHEMA: Final = f"""
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE finished (
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    times INTEGER NOT NULL,
    dead_letters INTEGER NOT NULL,
    run INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    PRIMARY KEY (source, key)
) WITHOUT ROWID;
"""


class CheckpointFile:
    """The file of one run.

    Args:
        said: Where it is, and what becomes of what it says.
        pipeline: Whose it is.
        clock: Tells when a write that failed is tried again.
    """

    def __init__(self, said: Checkpoint, pipeline: str, clock: Clock) -> None:
        self._said, self._pipeline, self._clock = said, pipeline, clock
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._run = 0
        self.left_out = 0
        """How many items `is_finished` was true of."""
        self._unwritten: list[Record] = []
        self._failed_at: float | None = None

    def check(self) -> None:
        """Look whether the file can be used, and change nothing.

        Raises:
            CheckpointError: It is damaged, of a newer version, of another pipeline, in use, or no
                checkpoint at all.
        """
        path = self._said.path
        if not path.exists():
            return
        with self._explaining("cannot be read"):
            _check_head(path)
            with _beside(path), _connected(f"{path.absolute().as_uri()}?mode=ro") as connection:
                wrong = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
                if wrong != "ok":
                    why = " ".join(wrong.split())
                    raise CheckpointError(_DAMAGED.format(path=path, why=why))
                self._check_owner(connection)

    def open(self) -> None:
        """Make it if there is none, and lock it. Raises `CheckpointError` as `check`."""
        path = self._said.path
        with self._explaining("cannot be opened"):
            if not path.exists():
                _make(path, self._pipeline)
            connection = _connect(path.absolute().as_uri())
            try:
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
                connection.execute("PRAGMA synchronous = NORMAL")
                self._check_owner(connection)
                connection.execute("BEGIN IMMEDIATE")
                self._begin_run(connection)
                connection.execute("COMMIT")
            except BaseException:
                connection.close()
                raise
            self._connection = connection

    def is_finished(self, source: str, key: str) -> bool:
        """Whether an item that a source gives now was finished by an earlier run."""
        with self._lock, self._explaining("cannot be read"):
            connection = self._open_connection()
            row = connection.execute(_LOOK, (source, key)).fetchone()
            if row is None:
                return False
            times, run, seen = row
            seen = seen if run == self._run else 0
            if seen >= times:
                return False
            if not connection.in_transaction:
                connection.execute("BEGIN")  # ended by the next record
            connection.execute(_SKIP, (self._run, seen + 1, source, key))
            self.left_out += 1
            return True

    def record(self, records: Iterable[Record]) -> None:
        """Write down items that are finished. If the disk takes nothing now, it is tried later."""
        with self._lock:
            if self._connection is None:  # too late: they will be run again
                return
            self._unwritten += records
            if self._failed_at is None or self._clock.now() - self._failed_at >= RETRY_SECONDS:
                self._write()

    def close(self) -> None:
        """Write the rest and close.

        Raises:
            CheckpointError: It could not be written. What the file says is still right: of it only
                the last items are missing, which will be run again.
        """
        with self._lock:
            connection = self._connection
            if connection is None:
                return
            error = self._write() if self._unwritten else None
            left, self._connection = len(self._unwritten), None
            with contextlib.suppress(sqlite3.Error):
                connection.close()
        if error is not None:
            raise CheckpointError(
                f"{self._said.path}: {left} finished items could not be written ({error}); the "
                "file is as good as before, and a run that is resumed runs these again"
            ) from error

    def _write(self) -> sqlite3.Error | None:
        """Write what is unwritten in one transaction. Returns why that cannot be done."""
        connection = self._open_connection()
        rows = [(*key, times, letters, self._run) for key, (times, letters) in self._added()]
        try:
            if connection.in_transaction:
                connection.execute("COMMIT")
            connection.execute("BEGIN")
            connection.executemany(_RECORD, rows)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if self._failed_at is None:
                text = f"checkpoint {self._said.path} cannot be written: {error}; it is tried again"
                warnings.warn(text, RuntimeWarning, stacklevel=2)
            self._failed_at = self._clock.now()
            return error
        self._unwritten, self._failed_at = [], None
        return None

    def _added(self) -> Iterable[tuple[tuple[str, str], tuple[int, int]]]:
        """For each key how often it was finished, and how often as a dead letter."""
        times = Counter((source, key) for source, key, _ in self._unwritten)
        letters = Counter((source, key) for source, key, letter in self._unwritten if letter)
        return [(key, (count, letters[key])) for key, count in times.items()]

    def _begin_run(self, connection: sqlite3.Connection) -> None:
        if self._said.fresh:
            connection.execute("DELETE FROM finished")
        elif self._said.retry_failed:
            connection.execute("UPDATE finished SET times = times - dead_letters, dead_letters = 0")
        connection.execute("UPDATE about SET value = value + 1 WHERE name = 'runs'")
        self._run = int(_about(connection)["runs"])

    def _check_owner(self, connection: sqlite3.Connection) -> None:
        owner = _about(connection)["pipeline"]
        if owner != self._pipeline:
            raise CheckpointError(
                f"{self._said.path} is the checkpoint of pipeline {owner!r}, and this is "
                f"{self._pipeline!r}; give each a file of its own"
            )

    def _open_connection(self) -> sqlite3.Connection:
        assert self._connection is not None
        return self._connection

    @contextlib.contextmanager
    def _explaining(self, what: str) -> Iterator[None]:
        """Say of every error which file it is about."""
        path = self._said.path
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
                raise CheckpointError(
                    f"{path} is in use: by another run, or by something else that reads it"
                ) from error
            if not isinstance(error, sqlite3.OperationalError):
                raise CheckpointError(_DAMAGED.format(path=path, why=error)) from error
            raise CheckpointError(f"{path} {what}: {error}") from error
        except OSError as error:
            raise CheckpointError(f"{path} {what}: {error}") from error


_LOOK: Final = "SELECT times, run, seen FROM finished WHERE source = ? AND key = ?"
_SKIP: Final = "UPDATE finished SET run = ?, seen = ? WHERE source = ? AND key = ?"
_RECORD: Final = """
INSERT INTO finished (source, key, times, seen, dead_letters, run)
VALUES (?1, ?2, ?3, ?3, ?4, ?5)
ON CONFLICT DO UPDATE SET
    times = times + excluded.times,
    dead_letters = dead_letters + excluded.dead_letters,
    seen = excluded.seen + CASE run WHEN excluded.run THEN seen ELSE 0 END,
    run = excluded.run
"""

_DAMAGED: Final = (
    "{path} is damaged ({why}); it was left as it is. Move it away to begin anew, or put back a "
    "copy that is whole"
)


def _make(path: Path, pipeline: str) -> None:
    """Make an empty checkpoint, which appears under its name only when it is whole."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with _connected(new.absolute().as_uri()) as connection:
            connection.executescript(_SCHEMA)
            connection.execute("INSERT INTO about VALUES ('pipeline', ?), ('runs', 0)", (pipeline,))
            connection.execute("PRAGMA journal_mode = WAL")
        with contextlib.suppress(FileExistsError):  # another run was quicker
            os.link(new, path)
    finally:
        new.unlink(missing_ok=True)


def _check_head(path: Path) -> None:
    """Read from the head of the file what it is. The library of SQLite has not touched it yet."""
    with path.open("rb") as file:
        head = file.read(100)
    application, version = (int.from_bytes(head[at : at + 4], "big") for at in (68, 60))
    if len(head) < 100 or not head.startswith(MAGIC):
        raise CheckpointError(f"{path} is no checkpoint, or it is damaged; it was left as it is")
    if application != APPLICATION:
        raise CheckpointError(f"{path} is a database, but no checkpoint; it was left as it is")
    if version > VERSION:
        raise CheckpointError(
            f"{path} was written by a newer version of minigun_py (its format is {version}, this "
            f"one knows {VERSION}); it was left as it is"
        )


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[None]:
    """Leave no file beside the checkpoint that was not there before."""
    sides = [path.with_name(path.name + end) for end in ("-wal", "-shm")]
    new = [side for side in sides if not side.exists()]
    try:
        yield
    finally:
        for side in new:
            side.unlink(missing_ok=True)


@contextlib.contextmanager
def _connected(uri: str) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(_connect(uri)) as connection:
        yield connection


def _connect(uri: str) -> sqlite3.Connection:
    """A connection for any thread, which waits for nobody and begins transactions when told."""
    return sqlite3.connect(
        uri, uri=True, timeout=0.0, isolation_level=None, check_same_thread=False
    )


def _about(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT name, value FROM about"))
