"""Which step begins next, and what became of each. Pure, but for its clock and its gate.

::

    open ──> ready ──> running ──> ended ──> what waited for it is open
               ^          │
               └── again ─┘

A step is open when the steps that it depends on have completed. A mapped step then has a piece for
each element; any other is one piece. A piece is ready until there is room for it, and ends once;
a step ends with its last piece.

*Invariants*: no step begins before what it depends on has completed; what runs never needs more
than there is; every step ends in exactly one state.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from minigun_py.clock import Clock
from minigun_py.events import Event, StepRetried, StepStarted
from minigun_py.outcome import Failure, Outcome, Success, TimedOut
from minigun_py.tasks.task import Attempt, Lane, Ticket
from minigun_py.workflow.admission import Admission
from minigun_py.workflow.graph import StepGraph
from minigun_py.workflow.instances import elements_of, joined, with_rest
from minigun_py.workflow.piece import Gate, Piece
from minigun_py.workflow.placing import Placed
from minigun_py.workflow.ready_set import ReadySet
from minigun_py.workflow.result import StepResult, StepState
from minigun_py.workflow.step import Binding, Step
from minigun_py.workflow.telling import ending_of

__all__ = ["StepSchedule"]

_COMPLETED, _SKIPPED = StepState.COMPLETED, StepState.SKIPPED


class StepSchedule:
    """The steps of one run.

    Args:
        graph: The steps.
        placed: Where each runs, and what it needs.
        urgencies: Of two that are ready, the one with the higher number begins.
        admission: What there is.
        inputs: What the parameters that are no steps receive.
        gate: Whether a step is to run at all; None if all are.
        ends_all: Asked for each step that has failed, whether that is the end of all.
        stop: Called with the cause then.
        clock: Measures.
        wall: Tells the time of day, in seconds since the epoch.
        tell: Is told what happens.
    """

    def __init__(
        self,
        graph: StepGraph,
        placed: Sequence[Placed],
        urgencies: Sequence[float],
        admission: Admission,
        inputs: Mapping[str, Any],
        gate: Gate | None,
        ends_all: Callable[[StepResult], bool],
        stop: Callable[[object], None],
        clock: Clock,
        wall: Callable[[], float],
        tell: Callable[[Event], object] | None = None,
    ) -> None:
        self._graph, self._placed, self._urgencies = graph, placed, urgencies
        self._admission, self._inputs, self._gate = admission, inputs, gate
        self._ends_all, self._stop = ends_all, stop
        self._clock, self._wall, self._tell = clock, wall, tell
        self._steps = graph.steps
        self._left = [len(found) for found in graph.dependencies]
        self._results: list[StepResult | None] = [None] * len(self._steps)
        self._last_before: dict[int, int] = {}
        self._unended = len(self._steps)
        self._ready: ReadySet[Piece] = ReadySet()
        self._again: list[tuple[float, int, Piece]] = []
        self._running: dict[int, Piece] = {}
        self._begun = 0
        self._to_clean_up: dict[str, None] = {}
        self._instances: dict[int, list[StepResult | None]] = {}
        self._missing: dict[int, int] = {}  # of each mapped step so many instances have not ended
        self._look: deque[int] = deque(n for n, left in enumerate(self._left) if not left)

    # ---------------------------------------------------------------- what the engine asks

    @property
    def finished(self) -> bool:
        """Whether every step has ended."""
        return not self._unended

    def next(self) -> tuple[Lane, Ticket] | None:
        """Begin the most urgent piece for which there is room, if there is one."""
        if self._again:
            self._bring_back()
        piece = self._ready.take(self._admission)
        if piece is None:
            return None
        number = self._begun = self._begun + 1
        self._running[number] = piece
        piece.attempts += 1
        piece.at = self._clock.now()
        if piece.attempts == 1:
            piece.start = self._wall()
            if piece.step.name in self._graph.cleanups:
                self._to_clean_up[piece.step.name] = None
        if self._tell is not None:
            self._tell(StepStarted(piece.at, piece.name, piece.attempts))
        placed = self._placed[piece.step.number]
        return placed.lane, Ticket(number, piece.step.number, piece.arguments, placed.memory)

    def ended(self, number: int, outcome: Attempt) -> None:
        """An attempt at a piece has ended."""
        piece = self._running.pop(number)
        self._admission.give(self._placed[piece.step.number].needs)
        if isinstance(outcome, Failure | TimedOut) and self._is_tried_again(
            piece, number, outcome.error
        ):
            return
        self._end_piece(piece, self._result_of(piece, outcome))
        if self._look:
            self.open()

    def wait_time(self) -> float | None:
        """Seconds until a piece is due for another attempt."""
        return max(0.0, self._again[0][0] - self._clock.now()) if self._again else None

    # ---------------------------------------------------------------- what the run asks

    def open(self) -> None:
        """Have a look at the steps that wait for nothing any more. Called once at the beginning."""
        look = self._look
        while look:
            number = look.popleft()
            obstacle = self._obstacle(number)
            if obstacle is None:
                self._begin(self._steps[number])
            else:
                self._skip(number, obstacle)

    @property
    def to_clean_up(self) -> tuple[str, ...]:
        """The steps that have begun and are to be cleaned up after, in that order."""
        return tuple(self._to_clean_up)

    def result(self, name: str) -> StepResult | None:
        """How a step has ended, if it has."""
        return self._results[self._graph.by_name[name].number]

    def results(self, reason: object, too_long: float | None = None) -> dict[str, StepResult]:
        """How each step ended. What has not ended was cancelled for this reason.

        If the reason is that all of them took longer than `too_long` seconds, those that ran by
        then have failed with a `TimeoutError`.
        """
        for piece in list(self._running.values()):
            left: Outcome[Any] | None = None if too_long is None else TimedOut(too_long)
            self._end_piece(piece, self._result_of(piece, left, reason))
        self._running.clear()
        for number, step in enumerate(self._steps):
            if self._results[number] is None:
                cancelled = StepResult(step.name, StepState.CANCELLED, cause=reason)
                parts = self._instances.get(number)
                if parts is not None:
                    cancelled = joined(step, with_rest(step, parts, cancelled), self._chain(step))
                self._settle(number, cancelled)
        return {step.name: self._result(step.number) for step in self._steps}

    # ---------------------------------------------------------------- open, begin, end

    def _obstacle(self, number: int) -> StepResult | None:
        """What a step depends on that did not complete: the first that failed, if there is one."""
        closed: StepResult | None = None
        for before, needed in self._graph.dependencies[number].items():
            result = self._result(before)
            if result.state is _SKIPPED and isinstance(result.cause, str):  # by a condition
                closed = closed or (result if needed else None)
            elif result.state is not _COMPLETED:
                return result
        return closed

    def _skip(self, number: int, obstacle: StepResult) -> None:
        name = self._steps[number].name
        chain = (*obstacle.chain, name)
        self._settle(number, StepResult(name, _SKIPPED, cause=obstacle.cause, chain=chain))

    def _begin(self, step: Step) -> None:
        """A step is open."""
        try:
            if self._gate is not None and step.options.when is not None:
                closed = self._gate.closed_to(step, self._arguments(step.conditions))
                if closed is not None:
                    chain = self._chain(step)
                    self._settle(
                        step.number, StepResult(step.name, _SKIPPED, cause=closed, chain=chain)
                    )
                    return
            pieces = self._pieces(step)
        except Exception as error:
            self._settle(step.number, self._failed(step, error))
            return
        if step.is_mapped:
            self._instances[step.number] = [None] * len(pieces)
            self._missing[step.number] = len(pieces)
            if not pieces:
                self._settle(step.number, StepResult(step.name, _COMPLETED, value=[]))
        placed = self._placed[step.number]
        for piece in pieces:
            kept = self._gate.kept(piece) if self._gate is not None else None
            if kept is None:
                self._ready.add(piece, placed.needs, self._urgencies[step.number])
            else:
                result = StepResult(piece.name, _COMPLETED, value=kept[0], kept=True)
                self._end_piece(piece, result)

    def _pieces(self, step: Step) -> list[Piece]:
        arguments = self._arguments(step.bindings) if step.bindings else {}
        if not step.is_mapped:
            return [Piece(step, None, arguments)]
        return [
            Piece(step, index, {**arguments, **element})
            for index, element in enumerate(elements_of(step, arguments))
        ]

    def _arguments(self, bindings: Iterable[Binding]) -> dict[str, Any]:
        """What parameters receive, but for what is left out."""
        found = {}
        for binding in bindings:
            if not binding.from_step:
                if binding.source in self._inputs:
                    found[binding.parameter] = self._inputs[binding.source]
                continue
            result = self._result(self._graph.by_name[binding.source].number)
            if result.state is _COMPLETED:
                found[binding.parameter] = result.value
        return found

    def _end_piece(self, piece: Piece, result: StepResult) -> None:
        if self._gate is not None and result.state is _COMPLETED and not result.kept:
            self._gate.keep(piece, result)
        number = piece.step.number
        if piece.index is None:
            self._settle(number, result)
            return
        instances = self._instances[number]
        instances[piece.index] = result
        self._missing[number] -= 1
        if not self._missing[number]:
            ended = [instance for instance in instances if instance is not None]
            self._settle(number, joined(piece.step, ended, self._chain(piece.step)))

    def _settle(self, number: int, result: StepResult) -> None:
        """A step has ended. What waited for it has to be looked at."""
        self._results[number] = result
        self._unended -= 1
        for after in self._graph.successors[number]:
            self._left[after] -= 1
            if not self._left[after]:
                self._last_before[after] = number
                self._look.append(after)
        if self._tell is not None:
            self._tell(ending_of(self._clock.now(), result))
        if result.state is StepState.FAILED and self._ends_all(result):
            self._stop(result.cause)

    # ---------------------------------------------------------------- how a piece ended

    def _is_tried_again(self, piece: Piece, number: int, error: BaseException) -> bool:
        retry = piece.step.options.retry
        if retry is None or not retry.allows(error, piece.attempts):
            return False
        wait, now = retry.wait(piece.attempts), self._clock.now()
        heapq.heappush(self._again, (now + wait, number, piece))
        if self._tell is not None:
            self._tell(StepRetried(now, piece.name, piece.attempts, error, wait))
        return True

    def _bring_back(self) -> None:
        now = self._clock.now()
        while self._again and self._again[0][0] <= now:
            piece = heapq.heappop(self._again)[2]
            number = piece.step.number
            self._ready.add(piece, self._placed[number].needs, self._urgencies[number])

    def _result_of(
        self, piece: Piece, outcome: Outcome[Any] | None, reason: object = None
    ) -> StepResult:
        """How a piece ended that was begun; without an outcome it was cancelled."""
        if isinstance(outcome, Success):
            return StepResult(  # by position, which is quicker, and this is for every step
                piece.name,
                _COMPLETED,
                outcome.value,
                None,
                (),
                piece.start,
                outcome.duration,
                piece.attempts,
                outcome.peak_memory,
                outcome.warnings,
                False,
                piece.why,
            )
        told: dict[str, Any] = {
            "start": piece.start,
            "attempts": piece.attempts,
            "why_run": piece.why,
            "duration": self._clock.now() - piece.at,
        }
        if outcome is None:
            chain = self._chain(piece.step)
            return StepResult(piece.name, StepState.CANCELLED, cause=reason, chain=chain, **told)
        assert isinstance(outcome, Failure | TimedOut)
        told["duration"] = outcome.duration or told["duration"]
        told["warnings"] = outcome.warnings
        told["peak_memory"] = outcome.peak_memory if isinstance(outcome, Failure) else None
        return self._failed(piece.step, outcome.error, piece.name, **told)

    def _failed(
        self, step: Step, error: BaseException, name: str | None = None, **told: Any
    ) -> StepResult:
        """A failure, whose error says which steps led to it."""
        chain = self._chain(step)
        way = f", by way of {' -> '.join(chain)}" if len(chain) > 1 else ""
        error.add_note(f"in step {name or step.name!r}{way}")
        return StepResult(name or step.name, StepState.FAILED, cause=error, chain=chain, **told)

    def _chain(self, step: Step) -> tuple[str, ...]:
        """The steps each of which ended last of those that the next one waited for."""
        chain, number = [step.name], step.number
        while number in self._last_before:
            number = self._last_before[number]
            chain.append(self._steps[number].name)
        return tuple(reversed(chain))

    def _result(self, number: int) -> StepResult:
        result = self._results[number]
        assert result is not None
        return result
