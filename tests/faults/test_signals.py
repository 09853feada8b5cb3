"""What Ctrl-C does, once and twice, and that nothing outlives a program that is killed."""

from __future__ import annotations

import signal

import pytest

from faults.session import start

SOON = 2.0  # seconds
KINDS = ("inline", "thread", "fork")

DRAINED = """
    pipe = Pipeline("drained", execution=KIND)
    drawn, kept = [], []
    @pipe.producer
    def numbers():
        for number in itertools.count():
            drawn.append(number)
            yield number
    @pipe.processor(to="keep")
    def work(number):
        return number
    @pipe.consumer
    def keep(number):
        kept.append(number)
        if len(kept) == 100:
            say("running")
    try:
        pipe.run()
    except KeyboardInterrupt as interrupt:
        books = interrupt.report.stages.values()
        cut = sum(book.cancelled + book.discarded for book in books)
        say(len(drawn) - len(kept), cut)
        sys.exit(130)
"""

STUCK = """
    from minigun_py.engine.orchestrator import Orchestrator
    drain = Orchestrator.drain
    def told(lanes):
        drain(lanes)
        say("draining")
    Orchestrator.drain = told
    pipe = Pipeline("stuck", execution=KIND)
    pipe.source(itertools.count())
    @pipe.processor
    def work(number):
        say("running")
        threading.Event().wait()
    try:
        pipe.run()
    except KeyboardInterrupt:
        sys.exit(130)
"""

ENDLESS = """
    pipe = Pipeline("endless", execution="fork", workers=2)
    pipe.source(itertools.count())
    @pipe.processor
    def work(number):
        if number > 50:
            say("stuck")
        WORK
    pipe.run()
"""

WORKS = {
    "that waits": "threading.Event().wait() if number > 50 else None",
    "that computes": "while number > 50: pass",
    "in C code that keeps the GIL": "re.match('(a+)+$', 'a' * 60 + 'b') if number > 50 else None",
    "that starts a run of its own": """
        if number > 50:
            inner = Pipeline('inner', execution='fork')
            inner.source(itertools.count())
            inner.processor(lambda n: threading.Event().wait(), name='wait')
            inner.run()
    """,
}


@pytest.mark.parametrize("kind", KINDS)
def test_ctrl_c_stops_the_source_and_lets_everything_else_arrive(kind: str) -> None:
    with start(DRAINED.replace("KIND", repr(kind))) as program:
        assert program.hear() == "running"
        program.watch()
        program.signal(signal.SIGINT)
        left, cut = map(int, program.hear().split())
        assert program.wait() == 130
        # Inline, Ctrl-C strikes between any two items, or in one of them.
        assert (left, cut) == (0, 0) or (kind == "inline" and left <= 1)
        assert program.survivors(SOON) == []


@pytest.mark.parametrize("kind", ["thread", "fork"])
def test_a_second_ctrl_c_ends_at_once_what_is_stuck(kind: str) -> None:
    with start(STUCK.replace("KIND", repr(kind))) as program:
        assert program.hear() == "running"
        program.watch()
        program.signal(signal.SIGINT)
        while program.hear() != "draining":
            pass
        program.signal(signal.SIGINT)
        assert program.wait(2 * SOON) == 130
        assert program.survivors(SOON) == []


@pytest.mark.parametrize("moment", ["start", "drain"])
@pytest.mark.parametrize("kind", ["thread", "fork"])
def test_ctrl_c_at_an_odd_moment_ends_the_run_all_the_same(kind: str, moment: str) -> None:
    script = """
        from minigun_py.engine.orchestrator import Orchestrator
        step = Orchestrator.MOMENT
        def interrupted(lanes):
            step(lanes)
            Orchestrator.MOMENT = step
            os.kill(os.getpid(), signal.SIGINT)
        Orchestrator.MOMENT = interrupted
        pipe = Pipeline("odd", execution="KIND")
        pipe.source(itertools.count())
        parent = os.getpid()
        @pipe.processor
        def work(number):
            if number == 5 and "MOMENT" == "drain":
                os.kill(parent, signal.SIGINT)
                threading.Event().wait()
        try:
            pipe.run()
        except KeyboardInterrupt as interrupt:
            say(hasattr(interrupt, "report"), *(t.name for t in threading.enumerate()[1:]))
    """
    with start(script.replace("MOMENT", moment).replace("KIND", kind)) as program:
        told = program.hear()
        assert told == "True" or (kind == "thread" and told == "True minigun-work")


@pytest.mark.parametrize("work", WORKS)
def test_no_worker_outlives_a_program_that_is_killed(work: str) -> None:
    with start(ENDLESS.replace("WORK", WORKS[work].strip())) as program:
        assert [program.hear(), program.hear()] == ["stuck", "stuck"]
        assert len(program.watch()) >= 3  # the fork server and two workers
        program.signal(signal.SIGKILL)
        assert program.wait() == -signal.SIGKILL
        assert program.survivors(SOON) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_session_is_the_programs_to_answer(number: int) -> None:
    script = """
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGINT, lambda *_: None)
        pipe = Pipeline("calm", execution="fork", workers=2)
        @pipe.producer
        def numbers():
            for number in range(100):
                if number == 50:
                    os.killpg(0, signal.NUMBER)
                yield number
        pipe.processor(abs, name="work")
        say(len(pipe.collect()))
    """
    with start(script.replace("NUMBER", number.name)) as program:
        assert program.hear() == "100"
        assert program.wait() == 0
