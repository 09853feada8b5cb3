"""One run of a workflow: a schedule on the ground that tasks stand on, and what cleans up after."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minigun_py.contexts.surroundings import look_around
from minigun_py.events import Observers
from minigun_py.primitives.cancel import CancelToken
from minigun_py.tasks.run import TaskRun
from minigun_py.workflow.admission import Admission
from minigun_py.workflow.critical_path import urgencies
from minigun_py.workflow.graph import StepGraph
from minigun_py.workflow.placing import lanes_of, places
from minigun_py.workflow.result import Results, StepResult
from minigun_py.workflow.run_options import room_of
from minigun_py.workflow.step import Binding
from minigun_py.workflow.step_schedule import StepSchedule

__all__ = ["WorkflowRun"]


class WorkflowRun:
    """One run.

    Args:
        name: Of the workflow.
        graph: Its steps.
        limits: How much there is of what steps name.
        inputs: What the parameters that are no steps receive.
        options: What is said of the run, checked.
        durations: How long steps took before, by name; told anew at the end.
        cache: Where the results of steps with ``cache=True`` are; None for the usual place.

    Raises:
        UsageError: A step needs more than there ever is.
        CheckpointError: A file cannot be used.
    """

    def __init__(
        self,
        name: str,
        graph: StepGraph,
        limits: Mapping[str, int],
        inputs: Mapping[str, Any],
        options: Mapping[str, Any],
        durations: dict[str, float],
        cache: Path | None,
    ) -> None:
        self._graph, self._inputs, self._options = graph, inputs, options
        self._durations, self._clock = durations, options["clock"]
        self._gate = _gate(name, graph, options, durations, cache)
        here = look_around()
        room = room_of(options, limits, here)
        placed = places(graph, room, here, durations, options["sequential"])
        self._token = CancelToken(self._clock).child(timeout=options["timeout"])
        known = [durations.get(step.name) for step in graph.steps]
        observers = Observers(options["progress"])
        self._schedule = StepSchedule(
            graph,
            placed,
            urgencies(graph.order, graph.successors, known),
            Admission(room.capacities()),
            inputs,
            self._gate,
            self._ends_all,
            self._token.cancel,
            self._clock,
            time.time,
            observers.send if observers else None,
        )
        lanes = lanes_of(graph, placed, room)
        self._run = TaskRun(name, graph.steps, lanes, self._schedule, self._token)

    def run(self) -> Results:
        """Run to the end. Raises what no step tells of, such as a `KeyboardInterrupt`."""
        began, outside = self._clock.now(), self._options["cancel"]
        forget = None if outside is None else self._token.follow(outside)
        trouble: BaseException | None = None
        try:
            if not self._token.cancelled:
                self._schedule.open()
            trouble = self._run.complete()
        except BaseException as error:
            trouble = error
            raise
        finally:
            if forget is not None:
                forget()
            expired = self._token.cancelled and self._token.remaining() == 0
            steps = self._schedule.results(
                trouble or self._token.reason, self._options["timeout"] if expired else None
            )
            errors = self._clean_up(steps)
        for name, result in steps.items():
            if result.ok and not result.kept:
                self._durations[name] = result.duration
        return Results(steps, self._clock.now() - began, errors)

    def cancel(self, reason: object) -> None:
        """End it."""
        self._token.cancel(reason)

    def _ends_all(self, result: StepResult) -> bool:
        said = self._options["on_error"]
        if callable(said):
            try:
                said = said(result)
            except Exception as error:
                result.cause.add_note(f"on_error itself raised {error!r}, so the run ends")
                return True
        return bool(said != "skip")

    def _clean_up(self, steps: Mapping[str, StepResult]) -> tuple[Exception, ...]:
        """Call what cleans up after the steps that have begun, those that began last first."""
        errors = []
        for name in reversed(self._schedule.to_clean_up):
            cleanup = self._graph.cleanups[name]
            given = self._given(cleanup.bindings, steps, steps[name])
            try:
                cleanup.function(**given)
            except Exception as error:
                error.add_note(f"while cleaning up after step {name!r}")
                errors.append(error)
        return tuple(errors)

    def _given(
        self, bindings: tuple[Binding, ...], steps: Mapping[str, StepResult], result: StepResult
    ) -> dict[str, Any]:
        """What parameters receive at the end: None of a step that did not complete."""
        given: dict[str, Any] = {}
        for binding in bindings:
            if binding.from_step:
                given[binding.parameter] = steps[binding.source].value
            elif binding.source in self._inputs:
                given[binding.parameter] = self._inputs[binding.source]
            elif binding.source == "result":
                given[binding.parameter] = result
        return given


def _gate(
    name: str,
    graph: StepGraph,
    options: Mapping[str, Any],
    durations: dict[str, float],
    cache: Path | None,
) -> Any:
    """The gate, if any step has a condition or any result is kept; and what files tell of times."""
    caching = any(step.options.cache for step in graph.steps)
    checkpoint = options["checkpoint"]
    if not (caching or checkpoint or any(step.options.when for step in graph.steps)):
        return None
    from minigun_py.workflow.gate import RunGate  # here: few workflows keep anything
    from minigun_py.workflow.result_store import ResultStore, usual_cache

    kept = None if checkpoint is None else ResultStore(checkpoint, name)
    cached = ResultStore(cache or usual_cache(name), name) if caching else None
    for store in (cached, kept):
        if store is not None:
            durations |= {**store.durations(), **durations}
    return RunGate(kept, cached)
