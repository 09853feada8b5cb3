"""Whoever takes outputs may be interrupted, or go away, and nothing is torn or held up."""

from __future__ import annotations

import random
import signal
import threading

import pytest

from faults.kinds import kinds_that, kinds_with
from faults.session import start, written_for

SOON = 2.0  # seconds
POLLED = kinds_with("polled")

BOOKS = """
    def balance(report):
        for name, book in report.stages.items():
            ended = (book.completed, book.filtered, book.failed, book.skipped)
            more = (book.dead_lettered, book.cancelled)
            # what is filtered out has been completed
            if name == "work" and book.received != sum(ended) - book.filtered + sum(more):
                return "no balance"
        return "balance"
"""

INTERRUPTED = f"""
    {BOOKS}
    pipe = Pipeline("taken", execution=KIND, workers=2)
    pipe.source(itertools.count())
    @pipe.processor
    def work(number):
        return number
    stream = pipe.stream()
    def take():
        for taken, _ in enumerate(stream):
            if taken == 20:
                say("running")
    try:
        take()  # Python 3.14 lets one that strikes a jump in this very block go uncaught
    except KeyboardInterrupt:  # in a wait for outputs, or in this loop
        stream.close()
        say(balance(stream.report), signal.getsignal(signal.SIGINT) is HANDLER)
        sys.exit(130)
"""

RAISED = f"""
    {BOOKS}
    class Enough(Exception):
        pass
    def enough(number, frame):
        raise Enough
    signal.signal(signal.SIGUSR1, enough)
    parent = os.getpid()
    pipe = Pipeline("taken", execution=KIND)
    pipe.source(range(100))
    @pipe.processor
    def work(number):
        import os, signal, threading
        if number == 3:
            os.kill(parent, signal.SIGUSR1)
            threading.Event().wait(ENOUGH)
        return number
    stream = pipe.stream()
    try:
        for _ in stream:
            pass
    except Enough as error:
        say(balance(error.report), signal.getsignal(signal.SIGUSR1) is enough)
"""

AWAY = """
    pipe = Pipeline("taken", execution=KIND, queue_size=50)
    pipe.source(itertools.count())
    said, says = os.pipe()
    @pipe.processor
    def work(number):
        os.write(says, b".")
        return number
    with pipe.stream() as stream:
        next(stream)
        done = 0
        while done < 60:
            done += len(os.read(said, 1000))
    say("went on")
"""

CUT_WHILE_AWAY = """
    from minigun_py import CancelToken, RunCancelled
    token = CancelToken()
    pipe = Pipeline("taken", execution=KIND)
    pipe.source(itertools.count())
    @pipe.processor
    def work(number):
        return number
    @pipe.after("work")
    def over(*_):
        say("over")
    stream = pipe.stream(cancel=token)
    next(stream)
    token.cancel("enough")
    while stream._run.running:
        threading.Event().wait(0.001)
    try:
        for _ in stream:
            pass
    except RunCancelled:
        say("cancelled")
"""


LEFT_RUN = """
    class Enough(Exception):
        pass
    def enough(number, frame):
        raise Enough
    signal.signal(signal.SIGALRM, enough)
    def left():
        return len(os.listdir("/proc/self/fd")), threading.active_count()
    pipe = Pipeline("endless", execution=KIND)
    @pipe.processor
    def work(number):
        return number
    pipe.run(range(3))  # what is opened once and for all is open from here on
    before = left()
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        pipe.run(itertools.count())
    except Enough as error:
        say("left", "work" in error.report.stages, left() == before)
"""

IN_A_COPY = """
    pipe = Pipeline("copied", execution=KIND)
    pipe.source(range(2000))
    @pipe.processor
    def work(number):
        return number
    stream = pipe.stream()
    first = next(stream)
    child = os.fork()
    if not child:
        del stream
        os._exit(7)
    say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 1 + len(list(stream)))
"""

STUCK = """
    class Stuck:
        def __reduce__(self):
            return rebuild, ()
    def rebuild():
        if os.getpid() == parent:
            say("stuck")
            threading.Event().wait()
        return Stuck()
    parent = os.getpid()
    pipe = Pipeline("stuck", execution=KIND)
    pipe.source(range(3))
    @pipe.processor
    def work(number):
        return Stuck()
    try:
        TAKE
    except BaseException as error:
        say(type(error).__name__)
    os._exit(0)
"""


@pytest.mark.parametrize("kind", ["fork"])
@pytest.mark.parametrize("ended_by", ["Ctrl-C", "its time"])
def test_an_output_that_is_never_rebuilt_does_not_keep_who_waits_for_it(
    kind: str, ended_by: str
) -> None:
    take = "list(pipe.stream(TIME))".replace("TIME", "timeout=0.2" * (ended_by == "its time"))
    with start(written_for(kind, STUCK.replace("TAKE", take))) as program:
        assert program.hear() == "stuck"
        program.watch()
        for _ in range(2 if ended_by == "Ctrl-C" else 0):
            program.signal(signal.SIGINT)
            threading.Event().wait(0.2)  # or the two are one
        ended = "KeyboardInterrupt" if ended_by == "Ctrl-C" else "RunTimedOut"
        assert program.hear() == ended
        assert program.wait() == 0
        assert program.survivors(SOON) == []


@kinds_that("polled", "killable")
@pytest.mark.parametrize("seed", range(5))
def test_ctrl_c_while_outputs_are_taken_tears_no_book(kind: str, seed: int) -> None:
    moments = random.Random(f"{kind} {seed}")
    script = INTERRUPTED.replace("HANDLER", "signal.default_int_handler")
    with start(written_for(kind, script)) as program:
        assert program.hear() == "running"
        program.watch()
        for _ in range(moments.randrange(3000)):
            pass
        program.signal(signal.SIGINT)
        assert program.hear() == "balance True"
        assert program.wait() == 130
        assert program.survivors(SOON) == []


@pytest.mark.parametrize("kind", POLLED)
def test_what_a_handler_raises_while_outputs_are_waited_for_comes_as_it_is(kind: str) -> None:
    # An interpreter cannot be ended by force, and is waited for.
    script = RAISED.replace("ENOUGH", "0.1" if kind == "subinterpreter" else "3600")
    with start(written_for(kind, script)) as program:
        assert program.hear() == "balance True"
        assert program.wait() == 0


@kinds_that("polled", "inherits_code", "not one_lease_each")
def test_workers_go_on_while_nobody_takes_their_outputs(kind: str) -> None:
    with start(written_for(kind, AWAY)) as program:
        assert program.hear() == "went on"
        assert program.wait() == 0


@pytest.mark.parametrize("kind", POLLED)
def test_a_run_that_is_cut_ends_though_nobody_takes_its_outputs(kind: str) -> None:
    with start(written_for(kind, CUT_WHILE_AWAY)) as program:
        assert [program.hear(), program.hear()] == ["over", "cancelled"]
        assert program.wait() == 0


@kinds_that("polled", "killable")
def test_what_a_handler_raises_out_of_a_run_ends_it(kind: str) -> None:
    with start(written_for(kind, LEFT_RUN)) as program:
        assert program.hear() == "left True True"
        assert program.wait() == 0


@kinds_that("polled", "killable")
def test_a_copy_of_the_program_that_drops_a_stream_does_not_end_it(kind: str) -> None:
    with start(written_for(kind, IN_A_COPY)) as program:
        assert program.hear() == "7 2000"
        assert program.wait() == 0
