"""A job that keeps a checkpoint, is killed at any moment, and is begun again until it has ended."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from faults.session import Program, start

__all__ = ["COUNT", "kill_and_resume", "rows_of"]

COUNT = 400

JOB = """
    import sqlite3
    from pathlib import Path
    directory = Path(sys.argv[1])
    pipe = Pipeline("job", queue_size=20)
    pipe.source(range(COUNT), name="numbers")
    @pipe.processor(KINDS)
    DEF note(number):
        fd = os.open(directory / "diary", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, f"{number}\\n".encode())
        os.close(fd)
        return number
    @pipe.processor(KINDS)
    DEF spread(number):
        return [(number, part) for part in range(number % 4)]
    pipe.unbatch()
    pipe.batch(7)
    @pipe.consumer
    def store(rows):
        with sqlite3.connect(directory / "rows.db") as connection:
            connection.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?)", rows)
        connection.close()
        say("stored")
    say("begun")
    pipe.run(checkpoint=directory / "job.db")
    say("ended")
"""


def kill_and_resume(
    kind: str, directory: Path, kills: int, moments: random.Random, written: Callable[[str], str]
) -> int:
    """Kill a job so often, each time at another moment, and let it end then.

    Returns how often it was killed; fewer if it had ended before.
    """
    with contextlib.closing(sqlite3.connect(directory / "rows.db")) as connection:
        connection.execute("CREATE TABLE rows (number, part, PRIMARY KEY (number, part))")
    script = written(JOB.replace("KINDS", "execution=KIND").replace("COUNT", str(COUNT)))
    for kill in range(kills):
        done = _finished(directory)
        with start(script, str(directory)) as program:
            if not _kill_at(program, moments):
                return kill
        again = _noted(directory) & done
        assert not again, f"{sorted(again)} were finished, and were run again"
        (directory / "diary").unlink(missing_ok=True)
    with start(script, str(directory)) as program:
        assert program.wait() == 0
    return kills


def rows_of(directory: Path) -> list[tuple[int, int]]:
    """What the job has stored."""
    with contextlib.closing(sqlite3.connect(directory / "rows.db")) as connection:
        return connection.execute("SELECT * FROM rows ORDER BY number, part").fetchall()


def _kill_at(program: Program, moments: random.Random) -> bool:
    """Kill a program between two of the things that it says. False if it has ended before."""
    try:
        for _ in range(moments.randrange(1, 4)):
            if program.hear() == "ended":
                return False
    except EOFError:
        return False
    program.watch()
    _wait_some(moments.random() * 0.004)
    program.signal(signal.SIGKILL)
    assert program.wait() in (-signal.SIGKILL, 0)
    assert program.survivors(within=2.0) == []
    return True


def _wait_some(seconds: float) -> None:
    """Any moment will do; the clock is only there to have many of them."""
    until = monotonic() + seconds
    while monotonic() < until:
        pass


def _finished(directory: Path) -> set[int]:
    """What the checkpoint says, read from a copy of it."""
    if not (directory / "job.db").exists():
        return set()
    with contextlib.closing(sqlite3.connect(directory / "job.db")) as connection:
        keys = connection.execute("SELECT key FROM finished").fetchall()
    return {json.loads(key) for (key,) in keys}


def _noted(directory: Path) -> set[int]:
    """The numbers that were run since the diary was begun."""
    diary = directory / "diary"
    return set(map(int, diary.read_text().split())) if diary.exists() else set()
