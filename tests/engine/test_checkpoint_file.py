"""What is finished is in the file, and a file that cannot be used is left as it is."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py import Checkpoint, CheckpointError
from minigun_py.engine.checkpoint_file import CheckpointFile
from minigun_py.testing.clock import VirtualClock


@contextlib.contextmanager
def opened(
    path: Path, pipeline: str = "job", clock: VirtualClock | None = None, **said: Any
) -> Iterator[CheckpointFile]:
    file = CheckpointFile(Checkpoint(path, **said), pipeline, clock or VirtualClock())
    file.check()
    file.open()
    try:
        yield file
    finally:
        file.close()


def written(path: Path, *keys: str, letters: bool = False, **said: Any) -> None:
    with opened(path, **said) as file:
        file.record([("items", key, letters) for key in keys])


def finished(path: Path, *keys: str, **said: Any) -> list[bool]:
    with opened(path, **said) as file:
        return [file.is_finished("items", key) for key in keys]


def checked(path: Path, pipeline: str = "job") -> None:
    CheckpointFile(Checkpoint(path), pipeline, VirtualClock()).check()


# --------------------------------------------------------------------------- what is kept


def test_what_was_recorded_is_finished_in_a_later_run(tmp_path: Path) -> None:
    written(tmp_path / "job.db", "a", "b")
    assert finished(tmp_path / "job.db", "a", "b", "c") == [True, True, False]


def test_sources_are_told_apart(tmp_path: Path) -> None:
    written(tmp_path / "job.db", "a")
    with opened(tmp_path / "job.db") as file:
        assert not file.is_finished("others", "a")


def test_what_this_run_has_recorded_is_not_left_out_of_it(tmp_path: Path) -> None:
    with opened(tmp_path / "job.db") as file:
        file.record([("items", "a", False)])
        assert not file.is_finished("items", "a")


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(("ends", "fails", "waits")))),
        max_size=4,
    )
)
def test_an_item_that_comes_several_times_is_left_out_as_often_as_it_was_finished(
    tmp_path_factory: pytest.TempPathFactory, runs: list[list[tuple[str, str]]]
) -> None:
    path = tmp_path_factory.mktemp("runs") / "job.db"
    done = Counter[str]()
    for items in runs:
        before, drawn, waiting = done.copy(), Counter[str](), list[str]()
        with opened(path) as file:
            for key, fate in items:
                drawn[key] += 1
                left_out = file.is_finished("items", key)
                assert left_out == (drawn[key] <= before[key])
                if left_out or fate == "fails":
                    continue
                waiting.append(key)
                if fate == "ends":
                    file.record(("items", waiting_key, False) for waiting_key in waiting)
                    done.update(waiting)
                    waiting.clear()


def test_dead_letters_are_finished_unless_they_are_wanted_again(tmp_path: Path) -> None:
    written(tmp_path / "job.db", "a", letters=True)
    written(tmp_path / "job.db", "b")
    assert finished(tmp_path / "job.db", "a", "b") == [True, True]
    assert finished(tmp_path / "job.db", "a", "b", retry_failed=True) == [False, True]


def test_fresh_forgets_everything(tmp_path: Path) -> None:
    written(tmp_path / "job.db", "a")
    assert finished(tmp_path / "job.db", "a", fresh=True) == [False]
    assert finished(tmp_path / "job.db", "a") == [False]


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "job.db"
    with opened(path) as file:
        file.record([("items", "a", False)])
        modes = {stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_it_leaves_one_file(tmp_path: Path) -> None:
    written(tmp_path / "job.db", "a")
    checked(tmp_path / "job.db")
    assert os.listdir(tmp_path) == ["job.db"]


def test_what_a_killed_process_has_recorded_is_there(tmp_path: Path) -> None:
    path = tmp_path / "job.db"
    in_another_process(path, "file.record([('items', 'a', False)])\nos.kill(os.getpid(), 9)")
    assert {one.name for one in tmp_path.iterdir()} >= {"job.db", "job.db-wal"}
    assert finished(path, "a", "b") == [True, False]


def test_a_record_that_comes_too_late_changes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path / "job.db") as file:
        pass
    file.record([("items", "a", False)])
    file.close()
    assert finished(tmp_path / "job.db", "a") == [False]


# --------------------------------------------------------------------------- what cannot be used


def damaged(path: Path) -> None:
    """A page in the middle is overwritten."""
    written(path, *map(str, range(2000)))
    content = bytearray(path.read_bytes())
    content[3 * 4096 : 3 * 4096 + 200] = b"\xa5" * 200
    path.write_bytes(content)


def cut_short(path: Path) -> None:
    written(path, *map(str, range(2000)))
    path.write_bytes(path.read_bytes()[:5000])


def text(path: Path) -> None:
    path.write_text("dear diary\n" * 100)


def empty(path: Path) -> None:
    path.touch()


def foreign(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE mine (everything TEXT)")


def newer(path: Path) -> None:
    written(path, "a")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def anothers(path: Path) -> None:
    written(path, "a", pipeline="other")


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (damaged, r"job\.db is damaged .*; it was left as it is"),
        (cut_short, r"job\.db is damaged .*; it was left as it is"),
        (text, "is no checkpoint, or it is damaged; it was left as it is"),
        (empty, "is no checkpoint, or it is damaged; it was left as it is"),
        (foreign, "is a database, but no checkpoint"),
        (newer, "was written by a newer version of minigun_py"),
        (anothers, "is the checkpoint of pipeline 'other', and this is 'job'"),
    ],
)
@pytest.mark.parametrize("fresh", [False, True])
def test_a_file_that_cannot_be_used_is_refused_and_left_as_it_is(
    tmp_path: Path, spoil: Any, complaint: str, fresh: bool
) -> None:
    path = tmp_path / "job.db"
    spoil(path)
    before = path.read_bytes()
    with (
        pytest.raises(CheckpointError, match=complaint),
        opened(path, fresh=fresh),
    ):
        pass
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["job.db"]


def test_a_file_that_another_process_uses_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "job.db"
    with opened(path):
        said = in_another_process(path, "")
    assert "job.db is in use: by another run" in said


def test_a_path_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(CheckpointError, match="cannot be opened"),
        opened(tmp_path / "file" / "job.db"),
    ):
        pass


# --------------------------------------------------------------------------- a full disk


FULL = """
import resource, signal, warnings
file.record([("items", "first", False)])
limit = path.stat().st_size + path.with_name("job.db-wal").stat().st_size
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for n in range(20):
        file.record([("items", f"more {n} " * 1000, False)])
        clock.advance(0.6)
print(len(caught), caught[0].message)
"""


def test_a_full_disk_keeps_the_last_good_state_and_says_so(tmp_path: Path) -> None:
    """The limit on the size of files stands for the disk."""
    path = tmp_path / "job.db"
    said = in_another_process(path, FULL)
    assert f"1 checkpoint {path} cannot be written: " in said
    assert "20 finished items could not be written" in said
    assert "a run that is resumed runs these again" in said
    assert finished(path, "first", "more 0 " * 1000) == [True, False]


def test_what_could_not_be_written_is_written_when_there_is_room(tmp_path: Path) -> None:
    room = "resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))"
    said = in_another_process(tmp_path / "job.db", FULL + room)
    assert "could not be written" not in said
    assert finished(tmp_path / "job.db", "more 0 " * 1000, "more 19 " * 1000) == [True, True]


PROGRAM = """
import os, sys
from pathlib import Path
from minigun_py import Checkpoint
from minigun_py.engine.checkpoint_file import CheckpointFile
from minigun_py.testing.clock import VirtualClock
path, clock = Path(sys.argv[1]), VirtualClock()
file = CheckpointFile(Checkpoint(path), "job", clock)
file.open()
"""


def in_another_process(path: Path, code: str) -> str:
    """Run code with the file open as ``file``. Gives all that it says."""
    done = subprocess.run(
        [sys.executable, "-c", f"{PROGRAM}{code}\nfile.close()", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1, -signal.SIGKILL), done.stderr
    return done.stdout + done.stderr
