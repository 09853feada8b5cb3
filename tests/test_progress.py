"""What the views of a running pipeline show, and how often."""

from __future__ import annotations

import io
import sys
import threading
from dataclasses import replace
from typing import Any, TextIO

import pytest
from rich.console import Console

from minigun_py import Pipeline, RunReport, UsageError
from minigun_py.engine.ledger import StageBook
from minigun_py.engine.report import StageReport
from minigun_py.progress import (
    LiveTable,
    PlainLines,
    Progress,
    Silence,
    open_view,
    stage_progress,
)
from minigun_py.testing.clock import VirtualClock


def standing(done: int, seconds: float = 2.0, name: str = "parse", skipped: int = 0) -> RunReport:
    """A run in which `done` items came out of a source and through a stage."""
    books = {
        "source": StageBook(emitted=done),
        name: StageBook(received=done + skipped, completed=done, skipped=skipped),
    }
    stages = {stage: StageReport.of(book) for stage, book in books.items()}
    return RunReport("job", True, seconds, stages)


def test_what_a_source_gave_out_is_done() -> None:
    source, parse = stage_progress(standing(10, seconds=2.0, skipped=1))
    assert source == Progress("source", 0, 10, 0, 0, 5.0)
    assert parse == Progress("parse", 11, 10, 0, 1, 5.0)


def test_no_time_gives_no_rate() -> None:
    assert stage_progress(standing(10, seconds=0.0))[0].rate == 0.0


def test_names_cannot_reach_the_terminal_as_commands() -> None:
    assert stage_progress(standing(1, name="\x1b[2Jx"))[1].stage == "\\x1b[2Jx"


def test_a_plain_line_comes_every_ten_seconds() -> None:
    stream, clock = io.StringIO(), VirtualClock()
    with PlainLines(stream, clock) as view:
        view.show(standing(1))
        clock.advance(10)
        view.show(standing(2, seconds=10.0, skipped=3))
        clock.advance(9)
        view.show(standing(4))
        clock.advance(1)
        view.show(standing(5, seconds=20.0))
    assert stream.getvalue() == (
        "job, 10 s: source 2; parse 2 of 5, 3 skipped\njob, 20 s: source 5; parse 5 of 5\n"
    )


def test_nothing_is_drawn_while_nothing_changes() -> None:
    stream, clock = io.StringIO(), VirtualClock()
    with PlainLines(stream, clock) as view:
        for _ in range(3):
            clock.advance(10)
            view.show(standing(2))
    assert stream.getvalue().count("\n") == 1


def test_a_terminal_gets_a_table_at_most_four_times_a_second() -> None:
    clock, console = VirtualClock(), Console(file=io.StringIO(), force_terminal=True, width=100)
    with LiveTable(console, clock) as view:
        for done in range(1000, 1010):
            clock.advance(0.125)
            view.show(standing(done))
        drawn = console.file.getvalue()
    assert drawn.count("per second") == 5
    assert "1,009" in drawn
    assert "1,008" not in drawn


def test_the_view_fits_what_it_writes_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("TTY_COMPATIBLE", raising=False)
    assert isinstance(open_view(Terminal()), LiveTable)
    assert isinstance(open_view(io.StringIO(), everywhere=True), PlainLines)
    assert isinstance(open_view(io.StringIO()), Silence)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(open_view(Terminal(), everywhere=True), PlainLines)


def test_silence_shows_nothing() -> None:
    with Silence() as view:
        view.show(standing(1))


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


def test_with_a_total_a_line_says_how_much_is_left() -> None:
    stream, clock = io.StringIO(), VirtualClock()
    with PlainLines(stream, clock, total=40) as view:
        clock.advance(10)
        view.show(standing(10, seconds=10.0))
    assert stream.getvalue() == (
        "job, 10 s, 25% of 40, about 30 s left: source 10; parse 10 of 10\n"
    )


def test_what_was_finished_before_is_no_longer_left() -> None:
    stream, clock = io.StringIO(), VirtualClock()
    with PlainLines(stream, clock, total=40) as view:
        clock.advance(10)
        view.show(replace(standing(10, seconds=10.0), already_finished=30))
    assert "job, 10 s, 100% of 40: source 10" in stream.getvalue()


def test_a_table_has_a_bar_for_each_stage() -> None:
    clock, console = VirtualClock(), Console(file=io.StringIO(), force_terminal=True, width=120)
    with LiveTable(console, clock, total=20) as view:
        clock.advance(1)
        view.show(standing(10))
        drawn = console.file.getvalue()
    assert "job: 2.0 s, 50% of 20, about 2 s left" in drawn
    assert drawn.count("\u2501") > 10


def test_without_rich_there_are_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert isinstance(open_view(Terminal(), everywhere=True), PlainLines)
    assert isinstance(open_view(Terminal()), Silence)


# --------------------------------------------------------------------------- of a run


class Seen(Silence):
    """Keeps what it is shown, and tells when that has come so often."""

    def __init__(self, often: int) -> None:
        self.reports: list[RunReport] = []
        self.enough, self._often = threading.Event(), often

    def show(self, report: RunReport) -> None:
        self.reports.append(report)
        if len(self.reports) == self._often:
            self.enough.set()


@pytest.mark.parametrize("kind", ["inline", "thread", "fork"])
def test_a_run_is_shown_while_it_goes_on(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, asked = Seen(often=2), []

    def open_seen(stream: TextIO, **said: Any) -> Seen:
        asked.append(said)
        return seen

    monkeypatch.setattr("minigun_py.progress.open_view", open_seen)
    pipe = Pipeline("shown")
    pipe.processor(abs, execution=kind)

    @pipe.consumer(execution="inline")
    def wait(number: int) -> None:
        assert seen.enough.wait(20)

    pipe.run([1, 2, 3], progress=True)
    assert asked == [{"everywhere": True, "total": 3}]
    assert seen.reports[-1].pipeline == "shown"


def test_a_view_that_fails_is_warned_of_and_the_run_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = threading.Event()

    class Broken(Silence):
        def show(self, report: RunReport) -> None:
            gone.set()
            raise OSError("no terminal")

    monkeypatch.setattr("minigun_py.progress.open_view", lambda *_, **__: Broken())
    pipe = Pipeline("shown")
    pipe.processor(lambda n: gone.wait(20) and n, name="wait", execution="thread")
    with pytest.warns(RuntimeWarning, match="cannot be shown: OSError: no terminal"):
        assert pipe.collect([1], progress=True, total=7) == [1]


@pytest.mark.parametrize(("option", "value"), [("progress", "yes"), ("total", 0), ("total", "9")])
def test_wrong_values_are_refused(option: str, value: Any) -> None:
    with pytest.raises(UsageError, match=option):
        Pipeline("shown").run([1], **{option: value})
