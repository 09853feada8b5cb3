"""Ctrl-C, SIGTERM and kill -9 at any moment: the run ends, and no process of it is left."""

from __future__ import annotations

import os
import random
import signal
from time import monotonic

import pytest

from faults.kinds import kinds_with
from faults.session import Program, start
from faults.terminal import open_terminal

TIMES = 200 if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else 10
"""So often each signal is sent."""

SOON = 2.0  # seconds
AT_LAST = 15.0
QUICK = 6
"""Items before those that never end."""

JOB = """
    import subprocess, time
    from minigun_py.cli.main import main
    from minigun_py.engine.orchestrator import Orchestrator

    def handlers():
        return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    before = handlers()

    drain = Orchestrator.drain
    def told(lanes):
        drain(lanes)
        say("draining")
    Orchestrator.drain = told

    pipe = Pipeline("endless")
    pipe.source(itertools.count())
    @pipe.processor(workers=2, execution=KIND)
    def work(number):
        if number < QUICK:
            say("quick")
            return
        WORK

    try:
        say("begun")
        RUN
    except KeyboardInterrupt:
        status = 130
    except SystemExit as ended:
        status = ended.code
    say("restored" if handlers() == before else "not restored")
    sys.exit(status)
"""

WORKS = {
    "in Python code": """
        say("stuck")
        while True:
            pass
    """,
    "in C code that keeps the GIL": """
        say("stuck")
        re.match("(a+)+$", "a" * 60 + "b")
    """,
    "in a sleep": """
        say("stuck")
        time.sleep(3600)
    """,
    "with a grandchild that holds its descriptors": """
        for descriptor in map(int, os.listdir("/proc/self/fd")):
            try:
                os.set_inheritable(descriptor, True)
            except OSError:  # the one that listed the directory
                pass
        with subprocess.Popen(["sleep", "3600"], close_fds=False):
            say("stuck")
    """,
}

IN_A_TERMINAL = """
    import fcntl, termios
    from minigun_py.cli.main import main
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # its keys are for this session
    pipe = Pipeline("shown", execution="fork", workers=2)
    pipe.source(itertools.count())
    @pipe.processor
    def work(number):
        while STUCK:
            pass
    main(["run", "--progress", "__main__:pipe"])
"""
CTRL_C = "\x03"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"

RUNS = {"run": "pipe.run()", "minigun": "main(['run', '__main__:pipe'])"}
KINDS = kinds_with("survives_crash")

at_any_moment = pytest.mark.parametrize("seed", range(TIMES))


@at_any_moment
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_at_any_moment_ends_the_run_and_restores_what_was(
    number: signal.Signals, seed: int
) -> None:
    moments = random.Random(f"{number} {seed}")
    ran = moments.choice([*RUNS])
    with start(job(ran, seed, moments)) as program:
        heard = wait_for_a_moment(program, moments)
        began = monotonic()
        heard += interrupt(program, number, heard)
        status = program.wait(AT_LAST)
        assert monotonic() - began < AT_LAST
        assert "not restored" not in heard
        if "restored" in heard:
            assert status == 128 + number
        else:  # nobody had taken it over yet, or nobody does
            assert status == -number == -signal.SIGTERM
            assert ran == "run" or "draining" not in heard
        assert program.orphans(SOON, spared="sleep") == []


@at_any_moment
def test_a_program_that_is_killed_at_any_moment_leaves_no_process(seed: int) -> None:
    moments = random.Random(f"killed {seed}")
    with start(job("run", seed, moments)) as program:
        wait_for_a_moment(program, moments)
        program.signal(signal.SIGKILL)
        assert program.wait() == -signal.SIGKILL
        assert program.orphans(SOON, spared="sleep") == []


def job(ran: str, seed: int, moments: random.Random) -> str:
    """A program whose workers are busy in one of the ways, in a kind that is left to chance."""
    work = list(WORKS.values())[seed % len(WORKS)]
    words = {"KIND": repr(moments.choice(KINDS)), "QUICK": str(QUICK), "RUN": RUNS[ran]}
    words["WORK"] = work.strip()
    script = JOB
    for word, text in words.items():
        script = script.replace(word, text)
    return script


def wait_for_a_moment(program: Program, moments: random.Random) -> list[str]:
    """Hear some of what it says, and let some time pass. What was heard."""
    heard = [program.hear() for _ in range(moments.randint(1, 1 + QUICK + 2))]
    # Any moment will do; the clock is only there to have many of them.
    until = monotonic() + moments.random() * moments.choice((0.001, 0.01, 0.1))
    while monotonic() < until:
        pass
    return heard


def interrupt(program: Program, number: signal.Signals, heard: list[str]) -> list[str]:
    """Send a signal, and once more if the run would not end by the first. What is heard then."""
    more: list[str] = []
    program.signal(number)
    again = False
    try:
        while not more or more[-1] not in ("restored", "not restored"):
            more.append(program.hear(AT_LAST))
            if not again and "draining" in more and "stuck" in heard + more:
                program.signal(number)
                again = True
    except EOFError:
        pass
    return more


@pytest.mark.parametrize("stuck", [False, True])
def test_ctrl_c_in_a_terminal_leaves_it_as_it_was_with_its_cursor_shown(
    stuck: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    with open_terminal() as terminal:
        before = terminal.settings()
        script = IN_A_TERMINAL.replace("STUCK", str(stuck))
        with start(script, terminal=terminal.theirs) as program:
            terminal.look_for("per second")
            terminal.type(CTRL_C)
            if stuck:
                terminal.look_for("once more to stop at once")
                terminal.type(CTRL_C)
            terminal.look_for("peak queue")
            assert program.wait(AT_LAST) == 130
            assert program.orphans(SOON) == []
        terminal.look_at_the_rest()
        assert terminal.settings() == before
        assert HIDE_CURSOR in terminal.seen
        assert terminal.seen.rindex(SHOW_CURSOR) > terminal.seen.rindex(HIDE_CURSOR)
