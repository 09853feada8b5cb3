"""Shows how far a run has come: a live table in a terminal, a plain line now and then elsewhere.

It reads the statistics of the run, which cost the run nothing when nobody looks::

    with open_view(sys.stderr) as view:
        while running:
            view.show(run.statistics())

A view draws at most as often as its interval says, and only when something has changed.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TextIO

from minigun_py.clock import SYSTEM_CLOCK, Clock
from minigun_py.engine.onlooker import View
from minigun_py.engine.report import RunReport, StageReport
from minigun_py.plain_text import one_line
from minigun_py.record import record

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["LiveTable", "PlainLines", "Progress", "Silence", "open_view", "stage_progress"]

TERMINAL_INTERVAL: Final = 0.25
LINE_INTERVAL: Final = 10.0
LONGEST_NAME: Final = 40
BAR_WIDTH: Final = 10


@record
class Progress:
    """How far one stage has come. `rate` is what it has done per second since the run began."""

    stage: str
    received: int
    done: int
    failed: int
    skipped: int
    rate: float


def stage_progress(report: RunReport) -> list[Progress]:
    """One record for each stage. A producer receives nothing: what it gave out is done."""
    return [_progress(name, stage, report.duration) for name, stage in report.stages.items()]


def _progress(name: str, stage: StageReport, seconds: float) -> Progress:
    done = stage.completed + stage.filtered if stage.received else stage.emitted
    rate = done / seconds if seconds > 0 else 0.0
    name = one_line(name, LONGEST_NAME)
    return Progress(name, stage.received, done, stage.failed, stage.skipped, rate)


def open_view(stream: TextIO, *, everywhere: bool = False, total: int | None = None) -> View:
    """A live table in a terminal or a notebook; else plain lines with `everywhere`, or nothing.

    Without `rich`, which the extra ``cli`` installs, there are plain lines in any case. `total` is
    how many items the sources will give.
    """
    try:
        from rich.console import Console
    except ImportError:
        return PlainLines(stream, total=total) if everywhere else Silence()
    console = Console() if _in_notebook() else Console(file=stream)
    if console.is_jupyter or (console.is_terminal and not console.is_dumb_terminal):
        return LiveTable(console, total=total)
    return PlainLines(stream, total=total) if everywhere else Silence()


def _in_notebook() -> bool:
    return "ipykernel" in sys.modules


class Pace:
    """Decides whether to draw: not before the interval is over, and not the same twice."""

    def __init__(self, interval: float, clock: Clock) -> None:
        self._interval, self._clock = interval, clock
        self._drawn_at = clock.now()
        self._counts: list[tuple[int, int, int, int]] = []

    def allows(self, rows: list[Progress]) -> bool:
        """Whether to draw now. If so, the interval begins again."""
        counts = [(row.received, row.done, row.failed, row.skipped) for row in rows]
        now = self._clock.now()
        if counts == self._counts or now - self._drawn_at < self._interval:
            return False
        self._drawn_at, self._counts = now, counts
        return True


class Silence(AbstractContextManager["Silence"]):
    """Shows nothing."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def show(self, report: RunReport) -> None:
        """Nothing."""


class PlainLines(Silence):
    """A line every ten seconds, for a log."""

    def __init__(
        self, stream: TextIO, clock: Clock = SYSTEM_CLOCK, total: int | None = None
    ) -> None:
        self._stream, self._total = stream, total
        self._pace = Pace(LINE_INTERVAL, clock)

    def show(self, report: RunReport) -> None:
        """Write a line, if it is time for one."""
        rows = stage_progress(report)
        if self._pace.allows(rows):
            stages = "; ".join(_words(row) for row in rows)
            head = (
                f"{one_line(report.pipeline)}, {report.duration:.0f} s{_left(report, self._total)}"
            )
            self._stream.write(f"{head}: {stages}\n")
            self._stream.flush()


def _words(row: Progress) -> str:
    counts = f"{row.stage} {row.done}" + (f" of {row.received}" if row.received else "")
    troubles = ((row.failed, "failed"), (row.skipped, "skipped"))
    return ", ".join([counts, *(f"{number} {what}" for number, what in troubles if number)])


class LiveTable:
    """A table that is redrawn in place, and gone when the run has ended.

    What stages print meanwhile appears above it.
    """

    def __init__(
        self, console: Console, clock: Clock = SYSTEM_CLOCK, total: int | None = None
    ) -> None:
        from rich.live import Live

        self._total = total
        self._pace = Pace(TERMINAL_INTERVAL, clock)
        self._live = Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # a file or pipe must get what is meant for it
        )

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, report: RunReport) -> None:
        """Draw the table again, if it is time."""
        rows = stage_progress(report)
        if self._pace.allows(rows):
            self._live.update(_table(report, rows, self._total), refresh=True)


def _table(report: RunReport, rows: list[Progress], total: int | None) -> Table:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    name = one_line(report.pipeline, LONGEST_NAME)
    title = Text(f"{name}: {report.duration:.1f} s{_left(report, total)}")
    table = Table(title=title, title_justify="left")
    table.add_column("stage")
    for heading in ("received", "done", "failed", "skipped", "per second"):
        table.add_column(heading, justify="right")
    table.add_column("", width=BAR_WIDTH)
    for row in rows:
        numbers = (row.received, row.done, row.failed, row.skipped)
        of = row.received or total or row.done
        ended = row.done + row.failed + row.skipped
        bar = ProgressBar(total=max(1, of), completed=min(of, ended), width=BAR_WIDTH)
        table.add_row(Text(row.stage), *(f"{n:,}" for n in numbers), f"{row.rate:,.0f}", bar)
    return table


def _left(report: RunReport, total: int | None) -> str:
    """How much of the items has been given by the sources, and how long the rest may take."""
    if not total:
        return ""
    drawn = sum(stage.emitted for stage in report.stages.values() if not stage.received)
    given = report.already_finished + drawn
    share = min(1.0, given / total)
    left = f", about {report.duration * (1 - share) / share:.0f} s left" if 0 < share < 1 else ""
    return f", {share:.0%} of {total:,}{left}"
