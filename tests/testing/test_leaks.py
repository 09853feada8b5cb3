"""The leak fixture catches what it says it catches, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from minigun_py.testing.leaks import Snapshot

pytest_plugins = ("pytester",)

SLEEP_FOREVER = [sys.executable, "-c", "input()"]


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Ends the threads of a test after it has looked at them."""
    event = threading.Event()
    yield event
    event.set()


def test_a_quiet_stretch_leaves_nothing() -> None:
    before = Snapshot.take()
    assert before.find_leaks() == []


def test_a_running_thread_is_found(release: threading.Event) -> None:
    before = Snapshot.take()
    threading.Thread(target=release.wait, args=(30,), name="stray").start()
    (leak,) = before.find_leaks(grace=0)
    assert "stray" in leak


def test_a_thread_that_ends_within_the_grace_is_none(release: threading.Event) -> None:
    before = Snapshot.take()
    threading.Thread(target=release.wait, args=(30,)).start()
    release.set()
    assert before.find_leaks(grace=30) == []


def test_threads_share_one_grace(release: threading.Event) -> None:
    before = Snapshot.take()
    for _ in range(50):
        threading.Thread(target=release.wait, args=(30,)).start()
    assert len(before.find_leaks(grace=0.05)) == 50


def test_a_running_child_is_found() -> None:
    before = Snapshot.take()
    with subprocess.Popen(SLEEP_FOREVER, stdin=subprocess.PIPE) as child:
        leaks = before.find_leaks()
        child.communicate()
    assert any(f"child process {child.pid}" in leak for leak in leaks)


def test_a_dead_child_that_nobody_waited_for_is_found() -> None:
    before = Snapshot.take()
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], os.environ)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    leaks = before.find_leaks()
    os.waitpid(pid, 0)
    assert leaks == [f"child process {pid} (ended, not waited for)"]


def test_an_open_descriptor_is_found(tmp_path: Path) -> None:
    before = Snapshot.take()
    with (tmp_path / "open").open("w") as file:
        leaks = before.find_leaks()
    assert leaks == [f"descriptor of {file.name}"]


def test_a_number_that_points_elsewhere_is_found(tmp_path: Path) -> None:
    with (tmp_path / "first").open("w"):
        before = Snapshot.take()
    with (tmp_path / "second").open("w") as second:
        leaks = before.find_leaks()
    assert leaks == [f"descriptor of {second.name}"]


@pytest.mark.parametrize("name", ["libffi.so.8.5.0", "_ctypes.cpython-311-x86_64-linux-gnu.so"])
def test_the_file_of_a_shared_library_is_none(name: str, tmp_path: Path) -> None:
    before = Snapshot.take()
    with (tmp_path / name).open("w"):
        assert before.find_leaks() == []


def test_the_fixture_fails_exactly_the_tests_that_leak(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os, sys, threading, pytest

        pytestmark = pytest.mark.usefixtures("no_leaks")

        stop = threading.Event()

        def test_thread():
            threading.Thread(target=stop.wait, daemon=True).start()

        def test_child():
            os.posix_spawn(sys.executable, [sys.executable, "-c", ""], os.environ)

        def test_descriptor():
            os.open(os.devnull, os.O_RDONLY)

        def test_tidy(capfd, tmp_path):
            print("hello")
            assert capfd.readouterr().out == "hello\\n"
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=4, errors=3)
    result.stdout.fnmatch_lines(["*ERROR*test_thread*", "*ERROR*test_child*", "*ERROR*test_desc*"])
