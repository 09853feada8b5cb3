"""The entry point, as a process of its own: installed or not, in a terminal, under signals."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

# Whoever runs the suite may have told its children to ignore SIGINT.
ENTRY = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from minigun_py.cli.main import main
main()
"""

ENDLESS = """
    import itertools
    from minigun_py import Pipeline

    pipe = Pipeline("endless")
    pipe.source(itertools.count(), name="numbers")

    @pipe.processor(execution="fork", queue_size=10, chunk=1)
    def double(n):
        return 2 * n

    @pipe.consumer
    def show(n):
        if n == 2:
            print("under way", flush=True)
"""

STUCK = """
    import threading
    from minigun_py import Pipeline

    pipe = Pipeline("stuck")
    pipe.source(range(3), name="numbers")

    @pipe.processor(execution="thread")
    def wait(n):
        print("under way", flush=True)
        threading.Event().wait()
"""

WAITS_FOR_INPUT = """
    import sys
    from minigun_py import Pipeline

    pipe = Pipeline("waits")
    pipe.source(["one"], name="numbers")

    @pipe.consumer(execution="thread")
    def wait(item):
        sys.stdin.readline()
        print("went on with", item)
"""


@contextmanager
def started(*arguments: str, **streams: int) -> Iterator[subprocess.Popen[str]]:
    """The command in a session of its own, so that signals reach it alone."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-c", ENTRY, *arguments]
    child = subprocess.Popen(command, text=True, start_new_session=True, **(pipes | streams))
    with child:
        try:
            yield child
        finally:
            child.kill()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_drains_the_run_and_has_its_own_status(
    write: Callable[..., str], number: signal.Signals, status: int
) -> None:
    with started("run", write(ENDLESS)) as child:
        assert child.stdout.readline() == "under way\n"
        child.send_signal(number)
        output, errors = child.communicate(timeout=30)
    assert child.returncode == status
    assert "finishing what is in flight" in errors
    assert "endless: ended well" in output
    assert "Traceback" not in errors


def test_a_second_signal_ends_even_a_run_that_is_stuck(write: Callable[..., str]) -> None:
    with started("run", write(STUCK)) as child:
        assert child.stdout.readline() == "under way\n"
        child.send_signal(signal.SIGINT)
        assert "finishing what is in flight" in child.stderr.readline()
        child.send_signal(signal.SIGINT)
        output, errors = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "the run did not end, and is left behind" in errors
    assert "stuck: " in output


def test_a_terminal_shows_the_stages_while_they_run(write: Callable[..., str]) -> None:
    ours, theirs = pty.openpty()
    environment = {"stdin": subprocess.PIPE, "stderr": theirs}
    with started("run", write(WAITS_FOR_INPUT), **environment) as child:
        os.close(theirs)
        seen = ""
        while "numbers" not in seen:
            seen += os.read(ours, 4096).decode()
        output, _ = child.communicate("\n", timeout=30)
    os.close(ours)
    assert child.returncode == 0
    assert "per second" in seen
    assert "went on with one\n" in output


def test_without_the_extra_it_says_what_to_install() -> None:
    program = "import sys; sys.modules['click'] = None\n" + ENTRY
    command = [sys.executable, "-c", program, "--version"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "pip install 'minigun-py[cli]'" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_installed_command_runs() -> None:
    command = os.path.join(os.path.dirname(sys.executable), "minigun")
    result = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("minigun ")
