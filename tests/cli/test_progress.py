"""What the views of a running pipeline show, and how often."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from minigun_py import RunReport
from minigun_py.cli.progress import (
    LiveTable,
    PlainLines,
    Progress,
    Silence,
    open_view,
    stage_progress,
)
from minigun_py.engine.ledger import StageBook
from minigun_py.engine.report import StageReport
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
