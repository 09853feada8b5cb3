"""Starts the lanes of a run, watches them, and stops them. It decides nothing else.

A lane is a thread: a source, or the worker group of a segment. Channels join the lanes::

    source lane ──channel──> worker group ──channel──> worker group ──channel──> outlet

Contexts that fork are opened first, while the run has no thread yet.

*Threads*: `open`, `start` and `wait` are for the thread of the caller, the others for any thread.
Lanes are daemons: one stuck in a stage is left behind, named in a warning with its stack.
*Lock order*: the lock guards the phase and who has ended; it is a leaf.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from minigun_py.clock import Deadline, earliest
from minigun_py.contexts import registry
from minigun_py.contexts.context import ExecutionContext
from minigun_py.contexts.fallback import open_nearest
from minigun_py.contexts.kernel import Control, Kernel
from minigun_py.engine.doorways import Doorways
from minigun_py.engine.forwarding import forwarded
from minigun_py.engine.inlet import Inlet
from minigun_py.engine.kernel import SegmentKernel, kernel_for
from minigun_py.engine.lane import Lane
from minigun_py.engine.ledger import Ledger
from minigun_py.engine.outbox import Outbox
from minigun_py.engine.outlet import Outlet
from minigun_py.engine.permits import Permits
from minigun_py.engine.ready_source import ReadySource, ready_sources
from minigun_py.engine.seating import Seating, may_be_lent
from minigun_py.engine.shutdown import Phase, Shutdown
from minigun_py.engine.source_lane import SourceLane
from minigun_py.engine.verdict import Verdict
from minigun_py.engine.worker_group import WorkerGroup
from minigun_py.errors import PlanWarning, UsageError
from minigun_py.plan.segment import Segment
from minigun_py.primitives.cancel import CancelToken
from minigun_py.primitives.daemon import daemon_thread

if TYPE_CHECKING:
    from minigun_py.engine.source_books import SourceBooks

__all__ = ["Orchestrator"]


class Orchestrator:
    """One run with channels and threads."""

    def __init__(
        self,
        segments: Sequence[Segment],
        ledger: Ledger,
        verdict: Verdict,
        token: CancelToken,
        outputs_wanted: bool,
        books: SourceBooks | None = None,
    ) -> None:
        self._segments, self._ledger, self._verdict = segments, ledger, verdict
        self._books = books
        self._token, self._clock = token, verdict.clock
        self._wanted = outputs_wanted
        self._lock = threading.Lock()  # guards the phase and the lanes that run
        self._shutdown = Shutdown(self._clock)
        self._lanes: list[Lane] = []
        self._threads: list[threading.Thread] = []
        self._running = 0
        self.abandoned = False
        self._tell_end: Callable[[], None] = _nobody
        self._ended = threading.Event()
        self._ends: list[Inlet] = []
        self._seating: Seating | None = None
        self.outlet: Outlet | None = None

    def open(self) -> None:
        """Open every context. On an error everything is closed again."""
        self._build_lanes(self._open_contexts())

    def start(self) -> None:
        """Start every lane. On an error everything is closed again."""
        self._forget = self._token.on_cancel(self._cut)
        self._running = len(self._lanes)
        try:
            for lane in self._lanes:
                thread = daemon_thread(self._run_lane, (lane,), f"minigun-{lane.name}")
                thread.start()
                self._threads.append(thread)
        except BaseException as error:  # the system grants no more threads
            self._token.cancel(error)
            for lane in self._lanes[len(self._threads) :]:
                self._run_lane(lane)  # it finds its channels cut, and closes everything
            self.wait()
            raise

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every lane has ended, or `timeout` seconds. True if they have."""
        deadline = Deadline.after(timeout, self._clock)
        while not self._ended.wait(earliest(deadline.remaining(), self.remaining())):
            self.look()
            if deadline.passed and not self._ended.is_set():
                return False
        if not self.abandoned:
            for thread in self._threads:
                thread.join()  # the lane has ended; the thread is on its last line
        self._forget()
        if self._seating is not None and not self.abandoned:
            self._seating.close()
        return True

    def on_end(self, tell: Callable[[], None]) -> None:
        """Have `tell` called when every lane has ended, if they have not yet."""
        self._tell_end = tell

    def remaining(self) -> float | None:
        """Seconds until something is due that `look` has to see; None while nothing is."""
        phase = self._shutdown.remaining()
        return phase if self._token.cancelled else earliest(self._token.remaining(), phase)

    def next_look(self) -> Deadline:
        """The moment at which `look` has to be called."""
        return Deadline.after(self.remaining(), self._clock)

    def look(self) -> None:
        """See to what is due: a deadline of the token, a phase that takes too long."""
        if self._token.cancelled:  # a deadline takes effect when the token is looked at
            self._enter(Phase.CANCELLING)
        overdue = self._shutdown.overdue()
        if overdue is Phase.CANCELLING:
            self._token.cancel("what was in flight did not end in time")
        elif overdue is Phase.KILLING:
            self.kill("the run did not end in time")
        if self._shutdown.given_up:
            self._abandon()

    def drain(self) -> None:
        """Stop producing; what is in flight ends."""
        if self._enter(Phase.DRAINING):
            for lane in self._lanes:
                lane.drain()

    def kill(self, why: str) -> None:
        """Cut the run now and end by force what can be."""
        self._token.cancel(why)
        self._enter(Phase.KILLING)
        for lane in self._lanes:
            lane.kill(why)
        self._call_keeper()

    @property
    def running(self) -> bool:
        """Whether a lane has not ended."""
        return not self._ended.is_set()

    def _open_contexts(self) -> dict[int, tuple[Kernel, ExecutionContext | None]]:
        opened: dict[int, tuple[Kernel, ExecutionContext | None]] = {}
        control = Control(self._token, self.drain)
        straight = {} if self._books is not None else forwarded(self._segments)
        order = sorted(range(len(self._segments)), key=lambda n: _turn(self._segments[n]))
        try:
            for number in order:
                segment = self._segments[number]
                tracked = self._books is not None
                forwards = straight.get(number, {})
                kernel = kernel_for(
                    segment, self._wanted, self._verdict, control, tracked, forwards
                )
                self._ledger.employ(segment.names, segment.spec.workers)
                opened[number] = (kernel, None)
                if not segment.is_source:
                    context, why = open_nearest(kernel, segment.spec)
                    opened[number] = (kernel, context)
                    _tell_of_other_kind(segment, why)
        except BaseException:
            for _, unused in opened.values():
                if unused is not None:
                    unused.close(Deadline.after(0.0))
            raise
        return opened

    def _build_lanes(self, opened: dict[int, tuple[Kernel, ExecutionContext | None]]) -> None:
        ready = self._ready_sources()
        doorways = Doorways(self._segments, self._wanted, self._clock, ready)
        permits, books = _permits(self._segments), self._books
        self._seating = seating = self._made_seating()
        if doorways.outlet is not None:
            self.outlet = Outlet(doorways.outlet, doorways.at_once, seating.taker())
        self._lanes += ready.values()
        taken_from = {source.name for source in ready.values()}
        for number, segment in enumerate(self._segments):
            if segment.head.name in taken_from:
                continue
            kernel, context = opened[number]
            exits = doorways.exits_of(segment)
            letter_exits = doorways.letter_exits_of(segment)
            lane: Lane
            if context is None:
                assert isinstance(kernel, SegmentKernel)
                lane = SourceLane(
                    segment,
                    kernel,
                    exits,
                    letter_exits,
                    self._ledger,
                    self._verdict,
                    books.track(segment.head.name, self._is_stopping) if books else None,
                )
            else:
                name = segment.head.name
                lane = WorkerGroup(
                    segment,
                    kernel,
                    context,
                    doorways.inbox_of(name),
                    Outbox(exits + letter_exits),
                    self._ledger,
                    self._verdict,
                    doorways.loop_of(name),
                    permits.get(segment.head.options.ground.block),
                    books.tracking if books else None,
                    seating.board_of(segment),
                )
                doorways.measure(name, lane)
            self._lanes.append(lane)
        self._ends = doorways.close()

    def _made_seating(self) -> Seating:
        lent = may_be_lent(self._segments, self._verdict, self._token)
        return Seating(self._segments, self._wanted and lent)

    def _ready_sources(self) -> dict[str, ReadySource]:
        """The sources that are taken from as they are, by the name of who takes."""
        if self._books is not None:  # what is drawn has to be told of one by one
            return {}
        by_name = {segment.head.name: segment for segment in self._segments}
        return {
            target: ReadySource(source, by_name[target], self._ledger, self._verdict)
            for target, source in ready_sources(self._segments).items()
        }

    def _is_stopping(self) -> bool:
        """Whether nothing more is to be drawn."""
        return self._shutdown.phase is not Phase.RUNNING

    def _run_lane(self, lane: Lane) -> None:
        try:
            lane.run()
        finally:
            with self._lock:
                self._running -= 1
                last = not self._running
            if last:
                self._end()

    def _end(self) -> None:
        self._ended.set()
        self._tell_end()

    def _cut(self) -> None:
        """The token was cancelled: abort every channel."""
        self._enter(Phase.CANCELLING)
        reason = self._token.reason
        for receiver in self._ends:
            receiver.abort(reason)
        for lane in self._lanes:
            lane.cut(reason)
        self._call_keeper()

    def _call_keeper(self) -> None:
        if self._seating is not None:
            self._seating.hurry()

    def _enter(self, phase: Phase) -> bool:
        with self._lock:
            return self._shutdown.enter(phase)

    def _abandon(self) -> None:
        """Name the threads that are stuck in a stage, with their stacks."""
        import traceback  # here: it is for runs that end badly

        self.abandoned = True
        frames = sys._current_frames()  # noqa: SLF001 - documented, in spite of its name
        for thread in self._threads:
            frame = frames.get(thread.ident or 0)
            if thread.is_alive() and frame is not None:
                stack = "".join(traceback.format_stack(frame))
                text = f"{thread.name} did not end and is left behind; it is in\n{stack}"
                warnings.warn(text, ResourceWarning, stacklevel=2)
        self._end()


def _permits(segments: Sequence[Segment]) -> dict[str | None, Permits]:
    """For each named context that several segments share, as many as it has workers."""
    shared = Counter(s.head.options.ground.block for s in segments if s.head.options.ground.shared)
    return {
        segment.head.options.ground.block: Permits(segment.spec.workers)
        for segment in segments
        if shared[segment.head.options.ground.block] > 1
    }


def _turn(segment: Segment) -> int:
    """Forks are opened first: later there are threads, and maybe interpreters, in their way."""
    traits = registry.traits_of(segment.spec.kind)
    return 2 if traits.shares_memory else int(not traits.inherits_code)


def _tell_of_other_kind(segment: Segment, why: str | None) -> None:
    if why is None:
        return
    if segment.head.options.fallback == "error":
        raise UsageError(f"{segment.head}: {why}, but it says fallback='error'")
    warnings.warn(f"stage {segment.head.name!r}: {why}", PlanWarning, stacklevel=2)


def _nobody() -> None:
    """Nobody has asked to be told."""
