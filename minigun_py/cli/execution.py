"""Runs a pipeline for the command line: shows it, obeys signals, and tells how it ended.

The run goes on in the background while the main thread waits in short turns. Between two turns
it draws, and passes on what signals ask for: the first one drains the run, the second cancels
it, and a run that even then does not end is left behind after a moment; its workers end with us.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from minigun_py import PipelineFailed, Run, RunCancelled, RunReport
from minigun_py.cli.exit_status import ExitStatus
from minigun_py.cli.stop_signals import StopSignals
from minigun_py.clock import Deadline
from minigun_py.engine.onlooker import View
from minigun_py.record import record

__all__ = ["Ending", "execute"]

TURN: Final = 0.1
"""Seconds between two looks at the signals and the statistics."""

LAST_MOMENT: Final = 1.0
"""Seconds that a cancelled run gets before it is left behind."""


@record
class Ending:
    """How a run ended. `errors` is what made it fail."""

    report: RunReport
    status: ExitStatus
    errors: tuple[Exception, ...] = ()


def execute(start: Callable[[], Run], view: View, say: Callable[[str], None]) -> Ending:
    """Start a run and stay with it to its end. `say` tells the person what happens."""
    with StopSignals() as signals:
        run = start()
        with view:
            ending = _Watch(run, view, signals, say).until_end()
    if signals.first is None:
        return ending
    return Ending(ending.report, ExitStatus.of_signal(signals.first), ending.errors)


class _Watch:
    """Waits for the run and passes on what signals ask for."""

    def __init__(
        self, run: Run, view: View, signals: StopSignals, say: Callable[[str], None]
    ) -> None:
        self._run, self._view, self._signals, self._say = run, view, signals, say
        self._obeyed = 0
        self._deadline = Deadline.after(None)

    def until_end(self) -> Ending:
        while not self._deadline.passed:
            try:
                return self._waited()
            except TimeoutError:
                self._view.show(self._run.statistics())
                self._obey()
        self._say("minigun: the run did not end, and is left behind")
        return Ending(self._run.statistics(), ExitStatus.FAILED)

    def _waited(self) -> Ending:
        try:
            return Ending(self._run.wait(timeout=TURN), ExitStatus.SUCCEEDED)
        except PipelineFailed as failed:
            return Ending(failed.report, ExitStatus.FAILED, failed.exceptions)
        except RunCancelled as cancelled:
            return Ending(cancelled.report, ExitStatus.FAILED)

    def _obey(self) -> None:
        if self._signals.asked > self._obeyed:
            self._obeyed = self._signals.asked
            if self._obeyed == 1:
                self._say("minigun: finishing what is in flight; once more to stop at once")
                self._run.drain()
            else:
                self._deadline = Deadline.after(LAST_MOMENT)
                self._run.cancel("interrupted")
