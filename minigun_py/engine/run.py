"""One run of a plan: begun, waited for, ended in order, and told of in a report.

Here a run's ending becomes what the caller sees: a report, or one exception that carries it.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from minigun_py.contexts.registry import traits_of
from minigun_py.engine.interrupts import Interrupts
from minigun_py.engine.ledger import Ledger
from minigun_py.engine.onlooker import Onlooker
from minigun_py.engine.report import RunReport, StageReport
from minigun_py.engine.run_settings import RunSettings
from minigun_py.engine.verdict import Verdict
from minigun_py.engine.way_of_running import books_of, way_of_running
from minigun_py.errors import (
    PipelineFailed,
    RunCancelled,
    RunTimedOut,
)
from minigun_py.events import Observers, RunEnded, RunStarted
from minigun_py.plan.execution_plan import ExecutionPlan
from minigun_py.plan.stage import Producer
from minigun_py.primitives.cancel import CancelToken
from minigun_py.primitives.daemon import daemon_thread

if TYPE_CHECKING:
    from minigun_py.engine.orchestrator import Orchestrator

__all__ = ["Run"]


class Run:
    """A run that has been started. Made by `Pipeline.start`.

    *Threads*: `cancel`, `drain`, `statistics` and `running` are for any thread; `wait` for one.
    """

    def __init__(self, name: str, plan: ExecutionPlan, settings: RunSettings, outputs: bool):
        self._name, self._settings, self._clock = name, settings, settings.clock
        self._token = (settings.cancel or CancelToken(self._clock)).child()
        self._cut = self._token.child(timeout=settings.timeout)
        self._stages = plan.graph.stages
        self._ends = [name for name in self._stages if plan.graph.is_end(name)]
        self._ledger = Ledger(self._stages.values())
        save = None
        if settings.capsules is not None:
            from minigun_py.engine.capsules import Capsules  # here: few runs keep any

            save = Capsules(settings.capsules, name, plan.graph).save
        self._verdict = Verdict(
            self._cut,
            self._ledger,
            settings.policies,
            Observers(settings.observers),
            self._clock,
            plan.graph.hooks,
            save,
        )
        self._plan = plan
        self._forks = any(traits_of(segment.spec.kind).forks for segment in plan.segments)
        self._books = books_of(plan, settings.checkpoint, name, self._clock, self._verdict.fail)
        self._inline, self._lanes = way_of_running(
            plan, self._ledger, self._verdict, self._cut, outputs, self._books
        )
        self._onlooker = Onlooker(settings.view, self.statistics) if settings.view else None
        self._thread: threading.Thread | None = None
        self._began = self._clock.now()
        self._final: RunReport | None = None
        self._was_cut = False
        self._forget_cut = self._cut.on_cancel(self._note_cut)
        self._interrupted, self._whole = False, True
        self._begun = self._after_run_called = False

    # ------------------------------------------------------------- for the user of start()

    @property
    def running(self) -> bool:
        """Whether the run has not ended."""
        if self._lanes is not None:
            return self._begun and self._lanes.running
        return self._thread is not None and self._thread.is_alive()

    @property
    def is_tracked(self) -> bool:
        """Whether somebody wants to know which source items are finished."""
        return self._books is not None

    def wait(self, timeout: float | None = None) -> RunReport:
        """Wait for the end. Raises what the run raises, or TimeoutError after `timeout` s."""
        if self._thread is not None:
            self._thread.join(timeout)
            ended = not self._thread.is_alive()
        else:
            ended = self._lanes_ended(timeout)
        if not ended:
            raise TimeoutError(f"the run has not ended within {timeout:g} s")
        return self.conclude()

    def cancel(self, reason: object = None) -> None:
        """Cut the run now: `wait` raises `RunCancelled` with the reason."""
        self._token.cancel(reason)

    def drain(self) -> None:
        """Stop producing. What is in flight ends, and then the run."""
        (self._inline or self._lanes).drain()  # type: ignore[union-attr]

    def statistics(self) -> RunReport:
        """The report as it stands."""
        return self._final or self._report(ok=not self._verdict.errors)

    # ------------------------------------------------------------- for the doors

    def begin(self) -> None:
        """Open and start everything; an inline run only starts when its outputs are drawn."""
        stages = tuple(self._stages)
        if not self._verdict.call_hooks("before_run"):
            return
        try:
            if not self._open():
                return
        except BaseException:
            self._call_last_hooks(ok=False)
            raise
        self._begun = True
        for stage in stages:
            self._verdict.call_stage_hooks("before", stage)  # one that fails cuts the run
        self._verdict.tell(lambda at: RunStarted(at, self._name, stages))
        if self._onlooker is not None:
            self._onlooker.open()
        if self._lanes is not None:
            self._lanes.start()

    def begin_in_background(self) -> None:
        """As `begin`. An inline run gets a thread, in which all of it happens."""
        if self._inline is None:
            self.begin()
        else:
            self._thread = daemon_thread(self._exhaust, (), f"minigun-{self._name}")
            self._thread.start()

    def outputs(self) -> Iterator[Iterable[Any]]:
        """What the end stages emit, some at a time. Ends, and does not raise, when it is cut."""
        with closing(self._given(lazily=True)) as given:
            yield from given

    def complete(self) -> RunReport:
        """Begin, and run to the end whatever comes out. First Ctrl-C drains, second kills."""
        return self._to_end(None)

    def collect(self) -> list[Any]:
        """Begin, run to the end, and keep what comes out. Ctrl-C as in `complete`."""
        collected: list[Any] = []
        self._to_end(collected)
        return collected

    def end_early(self, reason: str) -> RunReport:
        """Cut the run because nobody wants the rest, and wait until all is closed."""
        self._cut.cancel(reason)
        self._lanes_ended()
        if self._books is not None:
            self._books.close()
        self._call_last_hooks(ok=not self._verdict.errors)
        return self._end(ok=not self._verdict.errors)

    def conclude(self) -> RunReport:
        """The report of a run that has ended. Raises if it did not end well."""
        self._lanes_ended()
        if self._books is not None:
            self._books.close()
        self._audit()
        self._call_last_hooks(ok=self._ending() is None)
        error = self._ending()
        report = self._end(ok=error is None)
        if error is not None:
            error.report = report  # type: ignore[attr-defined]
            raise error
        return report

    # ------------------------------------------------------------- inside

    def _to_end(self, collected: list[Any] | None) -> RunReport:
        if self._lanes is not None:
            with Interrupts() as interrupts:
                self.begin()
                try:
                    if self._begun:
                        self._watch(self._lanes, interrupts, collected)
                except BaseException as error:  # of a handler that the program has set
                    error.report = self.end_early("what waited for it was left")  # type: ignore[attr-defined]
                    raise
                return self.conclude()
        self.begin()
        try:
            for outputs in self._given(lazily=False):
                if collected is not None:
                    collected += outputs
        except KeyboardInterrupt:  # in the middle of an item, which is lost
            self._interrupted, self._whole = True, False
        return self.conclude()

    def _lanes_ended(self, timeout: float | None = None) -> bool:
        """Wait for the lanes, if there are any and they were begun."""
        return self._lanes is None or not self._begun or self._lanes.wait(timeout)

    def _open(self) -> bool:
        """Open the contexts, after what comes before that. False if a hook failed."""
        if self._verdict.hooks.of("before_run"):  # what they have made may not cross either
            self._plan.check_crossings()
        if self._forks and not self._verdict.call_hooks("before_fork"):
            return False
        if self._lanes is not None:
            self._lanes.open()
        if self._books is not None:
            self._books.open()
        return True

    def _call_last_hooks(self, ok: bool) -> None:
        """Call what comes after everything, once."""
        if self._onlooker is not None:
            self._onlooker.close()
        if not self._after_run_called:
            self._after_run_called = True
            self._verdict.call_hooks("after_run", self._report(ok))

    def _watch(
        self, lanes: Orchestrator, interrupts: Interrupts, collected: list[Any] | None
    ) -> None:
        """Wait for the lanes, take their outputs, and see to what is due meanwhile."""
        lanes.on_end(interrupts.ring)
        if lanes.outlet is not None:
            lanes.outlet.on_ready(interrupts.ring)
        while True:
            running = lanes.running  # looked at first: what came before the end is taken after it
            if lanes.outlet is not None and collected is not None:
                for outputs in self._booked(lanes.outlet.take_all()):
                    collected += outputs
            if not running:
                return
            for _ in range(interrupts.wait(lanes.remaining())):
                self._interrupt(lanes)
            lanes.look()

    def _interrupt(self, lanes: Orchestrator) -> None:
        if self._interrupted:
            lanes.kill("interrupted twice")
        self._interrupted = True
        lanes.drain()

    def _exhaust(self) -> None:
        try:
            self.begin()
            for _ in self._given(lazily=False):
                pass
        except BaseException as error:  # nobody is there to raise it to, until the wait
            self._verdict.lane_failed(self._name, error)
        finally:
            self._call_last_hooks(ok=self._ending() is None)

    def _given(self, lazily: bool) -> Generator[Iterable[Any], None, None]:
        """What the end stages emit, some at a time; `lazily` as for an inline run."""
        if not self._begun:  # a hook has failed
            return
        given = self._inline.outputs(lazily) if self._inline else self._received()
        try:
            yield from self._booked(given)
        except RunCancelled as error:  # an inline stage looked at a token, and raised
            self._token.cancel(error.reason)

    def _received(self) -> Iterator[Iterable[Any]]:
        lanes = self._lanes
        assert lanes is not None
        assert lanes.outlet is not None
        return lanes.outlet.take(lanes.next_look, lanes.look)

    def _booked(self, given: Iterator[Iterable[Any]]) -> Iterator[Iterable[Any]]:
        """Outputs that are taken, of which the books of the sources are told."""
        return given if self._books is None else map(self._books.handed_out, given)

    def _audit(self) -> None:
        """Check the books, once. Where a thread was left behind they cannot balance."""
        if self._final is None and self._whole and not (self._lanes and self._lanes.abandoned):
            self._verdict.audit(self._ledger.imbalances(cut=self._was_cut))

    def _end(self, ok: bool) -> RunReport:
        """The final report, the same however often it is asked for."""
        if self._final is None:
            self._forget_cut()
            self._final = self._report(ok)
            self._verdict.tell(lambda at: RunEnded(at, self._name, ok))
        return self._final

    def _note_cut(self) -> None:
        self._was_cut = True

    def _ending(self) -> BaseException | None:
        errors = self._verdict.errors
        if self._interrupted:
            return KeyboardInterrupt()
        if errors:
            return PipelineFailed(self._headline(), errors)
        if not self._was_cut:  # a deadline that passes after the end changes nothing
            return None
        timeout = self._settings.timeout
        if timeout is not None and self._cut.remaining() == 0 and not self._token.cancelled:
            return RunTimedOut(timeout)
        return RunCancelled(self._cut.reason)

    def _headline(self) -> str:
        first = self._verdict.errors[0]
        for failed in self._verdict.failures:
            if failed.error is first and not isinstance(self._stages[failed.stage], Producer):
                where = f"in stage {failed.stage!r} on item {failed.shown(100)}"
                return f"pipeline {self._name!r} failed {where}"
            if failed.error is first:
                return f"pipeline {self._name!r} failed in producer {failed.stage!r}"
        return f"pipeline {self._name!r} failed"

    def _report(self, ok: bool) -> RunReport:
        books = self._ledger.snapshot()
        return RunReport(
            pipeline=self._name,
            ok=ok,
            duration=self._clock.now() - self._began,
            stages={name: StageReport.of(book) for name, book in books.items()},
            failures=self._verdict.failures,
            failed_items=self._verdict.dead_letters,
            outputs=sum(books[name].usual for name in self._ends),
            already_finished=self._books.already_finished if self._books else 0,
        )
