"""What Ctrl-C does, once and twice, and that nothing outlives a program that is killed."""

from __future__ import annotations

import signal

import pytest

from faults.kinds import kinds_that, kinds_with, traits_for
from faults.session import start, written_for

SOON = 2.0  # seconds

DRAINED = """
    pipe = Pipeline("drained", execution=KIND, queue_size=100)
    drawn, kept = [], []
    @pipe.producer
    def numbers():
        for number in itertools.count():
            drawn.append(number)
            yield number
    @pipe.processor(to="keep")
    DEF work(number):
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
    DEF work(number):
        os.write(1, b"running\\n")
        WAIT
    try:
        pipe.run()
    except KeyboardInterrupt:
        sys.exit(130)
"""

ENDLESS = """
    pipe = Pipeline("endless")
    pipe.source(itertools.count())
    @pipe.processor(workers=2, OPTIONS)
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
            inner = Pipeline('inner')
            inner.source(itertools.count())
            inner.processor(lambda n: threading.Event().wait(), name='wait', OPTIONS)
            inner.run()
    """,
}


HARDEST = ("in C code that keeps the GIL", "that starts a run of its own")

START_METHODS = {
    **{kind: f"execution={kind!r}" for kind in kinds_with("survives_crash")},
    "spawn": "execution='process', start_method='spawn'",
}
every_start = pytest.mark.parametrize("options", START_METHODS.values(), ids=START_METHODS)


def test_ctrl_c_stops_the_source_and_lets_everything_else_arrive(kind: str) -> None:
    with start(written_for(kind, DRAINED)) as program:
        assert program.hear() == "running"
        program.watch()
        program.signal(signal.SIGINT)
        left, cut = map(int, program.hear().split())
        assert program.wait() == 130
        # Inline, Ctrl-C strikes between any two items, or in one of them.
        assert (left, cut) == (0, 0) or (kind == "inline" and left <= 1)
        assert program.survivors(SOON) == []


@kinds_that("several_workers")
def test_a_second_ctrl_c_ends_at_once_what_is_stuck(kind: str) -> None:
    with start(written_for(kind, STUCK)) as program:
        assert program.hear() == "running"
        program.watch()
        program.signal(signal.SIGINT)
        while program.hear() != "draining":
            pass
        program.signal(signal.SIGINT)
        assert program.wait(2 * SOON) == 130
        assert program.survivors(SOON) == []


@pytest.mark.parametrize("moment", ["start", "drain"])
@kinds_that("several_workers")
def test_ctrl_c_at_an_odd_moment_ends_the_run_all_the_same(kind: str, moment: str) -> None:
    script = """
        from minigun_py.engine.orchestrator import Orchestrator
        step = Orchestrator.MOMENT
        def interrupted(lanes):
            step(lanes)
            Orchestrator.MOMENT = step
            os.kill(os.getpid(), signal.SIGINT)
        Orchestrator.MOMENT = interrupted
        pipe = Pipeline("odd", execution=KIND, queue_size=100)
        pipe.source(itertools.count())
        parent = os.getpid()
        @pipe.processor
        DEF work(number):
            if number == 5 and "MOMENT" == "drain":
                os.kill(parent, signal.SIGINT)
                WAIT
        try:
            pipe.run()
        except KeyboardInterrupt as interrupt:
            say(hasattr(interrupt, "report"), *(t.name for t in threading.enumerate()[1:]))
    """
    with start(written_for(kind, script.replace("MOMENT", moment))) as program:
        told, *stuck = program.hear().split()
        assert told == "True"
        assert stuck == [] or not traits_for(kind).killable


@pytest.mark.parametrize(
    ("options", "work"),
    [
        pytest.param(options, work, id=f"{start}-{work}")
        for start, options in START_METHODS.items()
        for work in WORKS
        if start == "fork" or work in HARDEST
    ],
)
def test_no_worker_outlives_a_program_that_is_killed(options: str, work: str) -> None:
    script = ENDLESS.replace("WORK", WORKS[work].strip()).replace("OPTIONS", options)
    with start(script) as program:
        assert [program.hear(), program.hear()] == ["stuck", "stuck"]
        assert len(program.watch()) >= 3  # the fork server and two workers
        program.signal(signal.SIGKILL)
        assert program.wait() == -signal.SIGKILL
        assert program.survivors(SOON) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@every_start
def test_a_signal_to_the_whole_session_is_the_programs_to_answer(
    options: str, number: signal.Signals
) -> None:
    script = """
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGINT, lambda *_: None)
        pipe = Pipeline("calm")
        @pipe.producer
        def numbers():
            for number in range(100):
                if number == 50:
                    os.killpg(0, signal.NUMBER)
                yield number
        pipe.processor(abs, name="work", workers=2, OPTIONS)
        say(len(pipe.collect()))
    """
    script = script.replace("NUMBER", number.name).replace("OPTIONS", options)
    with start(script) as program:
        assert program.hear() == "100"
        assert program.wait() == 0
