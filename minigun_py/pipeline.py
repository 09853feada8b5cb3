"""The main door: declare stages with decorators, then run them.

Example:
    >>> from minigun_py import Pipeline
    >>> pipe = Pipeline("squares")
    >>> @pipe.producer
    ... def numbers():
    ...     yield from range(5)
    >>> @pipe.processor
    ... def square(n):
    ...     return n * n
    >>> pipe.collect()
    [0, 1, 4, 9, 16]

A decorator returns the function unchanged: it can still be called, typed and tested.
"""

from __future__ import annotations

import itertools
import operator
import sys
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from minigun_py.declaring.parts import Parts
from minigun_py.engine.failure import Policy
from minigun_py.engine.report import RunReport
from minigun_py.engine.run import Run
from minigun_py.engine.run_settings import RunSettings
from minigun_py.engine.stream import Stream
from minigun_py.errors import PlanWarning, UsageError
from minigun_py.plan.execution_plan import ExecutionPlan, PlanConfig
from minigun_py.plan.graph import StageGraph
from minigun_py.plan.options import Options, checked_options
from minigun_py.plan.stage import Producer
from minigun_py.run_options import RunOptions, check_iterable

if TYPE_CHECKING:
    from minigun_py.engine.awaiting import AsyncStream
    from minigun_py.engine.onlooker import View

__all__ = ["Pipeline"]


class Pipeline(Parts):
    """Stages that form a graph, and the ways to run it.

    Args:
        name: Stands in reports and error messages.
        **defaults: `execution` and `workers` for the processors that name none;
            `queue_size`, `queue_bytes`, `on_error` and `retry` for every stage; `timeout` for the
            processors; `max_threads` and `max_processes` for the workers of all stages together.

    Raises:
        UsageError: An option is unknown, or has a wrong value.
    """

    # ------------------------------------------------------------- running

    def plan(self, *, execution: str | None = None, strict: bool = False) -> ExecutionPlan:
        """Where every stage would run, and why. Nothing is started.

        Warns of edges along which no value can fit, as far as annotations tell: what a stage
        returns or yields is of no type that the next one takes.

        Args:
            execution: A kind, over every stage's own, as for `run`.
            strict: Whether such an edge is an error.

        Raises:
            UsageError: The stages do not make a pipeline that can run.
        """
        plan = self._plan(self._graph({}), execution, strict)
        if plan.misfits:
            warnings.warn("; ".join(plan.misfits), PlanWarning, stacklevel=2)
        return plan

    def run(self, items: Iterable[Any] | None = None, **options: Any) -> RunReport:
        """Run to the end.

        Args:
            items: Instead of what the producers give.
            **options: `execution` (a kind, over every stage's own), `cancel` (a `CancelToken`),
                `timeout` (seconds), `on_error` (over every stage's own), `observers`,
                `stages` (options by stage, for this run), `capsules` (a directory for failed
                items; see `minigun replay`), `checkpoint` (a file, or a `Checkpoint`, by which
                a run that was stopped is resumed), `progress` (True shows how far it is, of
                `total` items), `strict` (with ``execution="inline"``: what would go to another
                process and back is pickled, to find what cannot), `clock`.

        Raises:
            PipelineFailed: A stage failed on an item and its policy is to fail.
            RunCancelled: The token was cancelled.
            RunTimedOut: The time was up.
            KeyboardInterrupt: Ctrl-C, after what was in flight has ended.
            UsageError: The pipeline cannot run. Nothing was started.
            CheckpointError: The file of the checkpoint cannot be used. Nothing was started.
        """
        return self._prepared(items, options, outputs=False).complete()

    go_brrr = run

    def collect(self, items: Iterable[Any] | None = None, **options: Any) -> list[Any]:
        """Run to the end; the outputs of the end stages, in the order in which they came."""
        return self._prepared(items, options, outputs=True).collect()

    def stream(self, items: Iterable[Any] | None = None, **options: Any) -> Stream:
        """Run, and iterate over the outputs while it runs. Leaving the loop ends the run."""
        return Stream(self._prepared(items, options, outputs=True))

    def start(self, items: Iterable[Any] | None = None, **options: Any) -> Run:
        """Run in the background. The `Run` can be waited for, drained and cancelled."""
        run = self._prepared(items, options, outputs=False)
        run.begin_in_background()
        return run

    async def arun(self, items: Iterable[Any] | None = None, **options: Any) -> RunReport:
        """As `run`, awaited. A task that is cancelled cancels the run."""
        from minigun_py.engine.awaiting import awaited  # here: asyncio takes long to import

        run = self._prepared(items, options, outputs=False)
        return await awaited(run, run.complete)

    async def acollect(self, items: Iterable[Any] | None = None, **options: Any) -> list[Any]:
        """As `collect`, awaited. A task that is cancelled cancels the run."""
        from minigun_py.engine.awaiting import awaited

        run = self._prepared(items, options, outputs=True)
        return await awaited(run, run.collect)

    def astream(self, items: Iterable[Any] | None = None, **options: Any) -> AsyncStream:
        """As `stream`, for ``async for``. The run begins with the first step of the loop."""
        from minigun_py.engine.awaiting import AsyncStream

        return AsyncStream(self._prepared(items, options, outputs=True))

    # ------------------------------------------------------------- inside

    def _graph(self, changes: Mapping[str, Mapping[str, Any]]) -> StageGraph:
        if not self._members:
            raise UsageError(f"pipeline {self.name!r} has no stages")
        return StageGraph(self.scope(changes))

    def _plan(
        self,
        graph: StageGraph,
        execution: str | None,
        strict: bool = False,
        tracked: bool = False,
        rehearsed: bool = False,
    ) -> ExecutionPlan:
        checked = checked_options({"execution": execution}, f"pipeline {self.name!r}")
        ground, limits = self._grounds.pipeline, self.limits
        config = PlanConfig(
            ground.execution,
            ground.workers,
            checked.execution,
            limits.get("max_threads"),
            limits.get("max_processes"),
            strict,
            tracked or any(stage.options.ack is not None for stage in graph.stages.values()),
            rehearsed,
        )
        return ExecutionPlan.of(graph, config).plan()

    def _view(self, items: Iterable[Any] | None, given: RunOptions) -> View | None:
        """What shows the progress of a run, if it is to be shown."""
        if not given.progress:
            return None
        from minigun_py.progress import open_view  # here: few look at it

        total = given.total or operator.length_hint(() if items is None else items)
        return open_view(sys.stderr, everywhere=True, total=total or None)

    def _prepared(self, items: Iterable[Any] | None, options: dict[str, Any], outputs: bool) -> Run:
        given = RunOptions(f"pipeline {self.name!r}", options)
        graph = self._graph(given.stages)
        if items is not None:
            check_iterable(items, f"pipeline {self.name!r}")
            name = next(n for n in _source_names() if n not in graph.stages)
            graph = graph.fed_by(Producer(name, Options(), "", items))
        graph.check_runnable()
        tracked = given.checkpoint is not None
        plan = self._plan(graph, given.execution, tracked=tracked, rehearsed=given.strict)
        if plan.notes:
            warnings.warn("; ".join(plan.notes), PlanWarning, stacklevel=3)
        policies = {n: Policy.of(s, given.on_error) for n, s in graph.stages.items()}
        settings = RunSettings(
            given.cancel,
            given.timeout,
            policies,
            tuple(given.observers),
            given.capsules,
            given.checkpoint,
            self._view(items, given),
            given.clock,
        )
        return Run(self.name, plan, settings, outputs)


def _source_names() -> Iterable[str]:
    return itertools.chain(("items",), (f"items_{n}" for n in itertools.count(2)))
