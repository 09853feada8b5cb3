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
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NoReturn, TypeVar, overload

from minigun_py.clock import SYSTEM_CLOCK, Clock
from minigun_py.engine.report import RunReport
from minigun_py.engine.run import Run, RunSettings
from minigun_py.engine.stream import Stream
from minigun_py.errors import PlanWarning, UsageError
from minigun_py.events import Observer
from minigun_py.plan.execution_plan import ExecutionPlan, PlanConfig
from minigun_py.plan.graph import StageGraph
from minigun_py.plan.options import (
    StageOptions,
    check_positive,
    checked_options,
    nearest,
    refuse_later,
)
from minigun_py.plan.signature import location
from minigun_py.plan.stage import Accumulator, Consumer, Processor, Producer, Stage
from minigun_py.primitives.cancel import CancelToken

__all__ = ["Pipeline"]

F = TypeVar("F", bound=Callable[..., Any])

DEFAULTS: Final = ("execution", "workers", "queue_size", "on_error")

LIMITS: Final = ("max_threads", "max_processes")

LATER_DEFAULTS: Final = frozenset(("retry", "timeout"))

LATER_RUN_OPTIONS: Final = frozenset(
    ("progress", "total", "checkpoint", "capsules", "attach", "strict")
)

LATER_METHODS: Final = frozenset((
        "accumulator", "add", "acollect", "after", "after_fork", "after_run", "arun", "astream",
        "before", "before_fork", "before_run", "configure", "context", "deduplicate", "defaults",
        "on_failure", "pipeline", "rebatch", "unbatch",
))  # fmt: skip


class Pipeline:
    """Stages that form a graph, and the ways to run it.

    Args:
        name: Stands in reports and error messages.
        **defaults: `execution` and `workers` for the processors that name none; `queue_size`
            and `on_error` for every stage; `max_threads` and `max_processes` for the workers
            of all stages together.

    Raises:
        UsageError: An option is unknown, or has a wrong value.
    """

    def __init__(self, name: str = "pipeline", **defaults: Any) -> None:
        self.name = name
        where = f"pipeline {name!r}"
        for option in defaults:
            if option not in (*DEFAULTS, *LIMITS):
                refuse_later(option, LATER_DEFAULTS, "option", where)
                known = nearest(option, (*DEFAULTS, *LIMITS))
                raise UsageError(f"{where}: no option {option!r}{known}")
        limits = {n: defaults.pop(n) for n in LIMITS if defaults.get(n) is not None}
        for option, limit in limits.items():
            check_positive(option, limit, where)
        checked = checked_options({k: v for k, v in defaults.items() if k in DEFAULTS}, where)
        self._config = PlanConfig(checked.execution, checked.workers, **limits)
        self._stage_defaults = {k: v for k, v in defaults.items() if k in DEFAULTS[2:]}
        self._stages: dict[str, Stage] = {}

    def __getitem__(self, name: str) -> Stage:
        if name not in self._stages:
            raise KeyError(f"no stage {name!r}{nearest(name, self._stages)}")
        return self._stages[name]

    def __getattr__(self, name: str) -> NoReturn:
        if name in LATER_METHODS:
            raise _NotYet(f"pipe.{name} is not available in this version of minigun_py")
        raise AttributeError(f"a Pipeline has no {name!r}")

    # ------------------------------------------------------------- declaring

    @overload
    def producer(self, function: F, /, **options: Any) -> F: ...
    @overload
    def producer(self, /, **options: Any) -> Callable[[F], F]: ...
    def producer(self, function: Any = None, /, **options: Any) -> Any:
        """Declare a source: a generator function, or one that emits with ``output``."""
        return self._decorate(self._new_producer, function, options)

    @overload
    def processor(self, function: F, /, **options: Any) -> F: ...
    @overload
    def processor(self, /, **options: Any) -> Callable[[F], F]: ...
    def processor(self, function: Any = None, /, **options: Any) -> Any:
        """Declare a stage that makes of each item any number of others."""
        return self._decorate(self._new_processor, function, options)

    @overload
    def consumer(self, function: F, /, **options: Any) -> F: ...
    @overload
    def consumer(self, /, **options: Any) -> Callable[[F], F]: ...
    def consumer(self, function: Any = None, /, **options: Any) -> Any:
        """Declare a stage that ends a branch. What it returns is an output of the pipeline."""
        return self._decorate(self._new_consumer, function, options)

    def source(self, items: Iterable[Any], *, name: str = "source", **options: Any) -> Stage:
        """Declare a producer that gives the elements of an iterable."""
        where = f"source {name!r}"
        _check_iterable(items, where)
        return self._keep(Producer(name, self._options(options, where), "", items))

    def batch(
        self, size: int, max_wait: float | None = None, *, name: str = "batch", **options: Any
    ) -> Stage:
        """Declare a stage that gathers items into lists.

        Args:
            size: Items in a full list.
            max_wait: Seconds after which a list goes although it is not full; None waits.
            name: As for any stage.
            **options: As for any stage.
        """
        where = f"stage {name!r}"
        check_positive("size", size, where)
        if max_wait is not None:
            _check_seconds("max_wait", max_wait, where)
        for later in ("key", "max_bytes", "max_pending"):
            if later in options:
                refuse_later(later, (later,), "option", where)
        return self._keep(Accumulator(name, self._options(options, where), "", size, max_wait))

    # ------------------------------------------------------------- running

    def plan(self, *, execution: str | None = None) -> ExecutionPlan:
        """Where every stage would run, and why. Nothing is started."""
        return self._plan(self._graph({}), execution)

    def run(self, items: Iterable[Any] | None = None, **options: Any) -> RunReport:
        """Run to the end.

        Args:
            items: Instead of what the producers give.
            **options: `execution` (a kind, over every stage's own), `cancel` (a `CancelToken`),
                `timeout` (seconds), `on_error` (over every stage's own), `observers`,
                `stages` (options by stage, for this run), `clock`.

        Raises:
            PipelineFailed: A stage failed on an item and its policy is to fail.
            RunCancelled: The token was cancelled.
            RunTimedOut: The time was up.
            KeyboardInterrupt: Ctrl-C, after what was in flight has ended.
            UsageError: The pipeline cannot run. Nothing was started.
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

    # ------------------------------------------------------------- inside

    def _decorate(self, make: Callable[..., Stage], function: Any, options: dict[str, Any]) -> Any:
        def declare(function: Any) -> Any:
            given = dict(options)
            name = given.pop("name", None) or _name_of(function)
            where = location(function)
            at = f"stage {name!r}" + (f" ({where})" if where else "")
            self._keep(make(name, self._options(given, at), where, function))
            return function

        return declare if function is None else declare(function)

    _new_producer = staticmethod(Producer)
    _new_processor = staticmethod(Processor)
    _new_consumer = staticmethod(Consumer)

    def _options(self, given: dict[str, Any], where: str) -> StageOptions:
        return checked_options(self._stage_defaults | given, where)

    def _keep(self, stage: Stage) -> Stage:
        if stage.name in self._stages:
            raise UsageError(f"{stage} has the name of {self._stages[stage.name]}; give it name=")
        self._stages[stage.name] = stage
        return stage

    def _graph(self, changes: Mapping[str, Mapping[str, Any]]) -> StageGraph:
        if not self._stages:
            raise UsageError(f"pipeline {self.name!r} has no stages")
        for name in changes:
            if name not in self._stages:
                raise UsageError(f"stages=: no stage {name!r}{nearest(name, self._stages)}")
        return StageGraph([self._changed(s, changes.get(s.name)) for s in self._stages.values()])

    def _changed(self, stage: Stage, change: Mapping[str, Any] | None) -> Stage:
        if not change:
            return stage
        new = checked_options(dict(change), str(stage))
        return replace(
            stage, options=replace(stage.options, **{k: getattr(new, k) for k in change})
        )

    def _plan(self, graph: StageGraph, execution: str | None) -> ExecutionPlan:
        checked = checked_options({"execution": execution}, f"pipeline {self.name!r}")
        config = replace(self._config, override=checked.execution)
        return ExecutionPlan(graph.dag, graph.stages, config).plan()

    def _prepared(self, items: Iterable[Any] | None, options: dict[str, Any], outputs: bool) -> Run:
        given = _RunOptions(f"pipeline {self.name!r}", options)
        graph = self._graph(given.stages)
        if items is not None:
            _check_iterable(items, f"pipeline {self.name!r}")
            name = next(n for n in _source_names() if n not in self._stages)
            graph = graph.fed_by(Producer(name, StageOptions(), "", items))
        graph.check_runnable()
        plan = self._plan(graph, given.execution)
        if plan.notes:
            warnings.warn("; ".join(plan.notes), PlanWarning, stacklevel=3)
        policies = {n: given.on_error or s.options.on_error for n, s in graph.stages.items()}
        policies |= {n: "fail" for n, s in graph.stages.items() if isinstance(s, Producer)}
        settings = RunSettings(
            given.cancel, given.timeout, policies, tuple(given.observers), given.clock
        )
        return Run(self.name, plan, settings, outputs)


class _RunOptions:
    """The options of a run, checked."""

    def __init__(self, where: str, options: dict[str, Any]) -> None:
        self.execution: str | None = None
        self.cancel: CancelToken | None = None
        self.timeout: float | None = None
        self.on_error: str | None = None
        self.observers: Sequence[Observer] = ()
        self.stages: Mapping[str, Mapping[str, Any]] = {}
        self.clock: Clock = SYSTEM_CLOCK
        known = list(vars(self))
        for name, value in options.items():
            if name not in known:
                refuse_later(name, LATER_RUN_OPTIONS, "run option", where)
                raise UsageError(f"{where}: no run option {name!r}{nearest(name, known)}")
            setattr(self, name, value)
        self._check(where, options)

    def _check(self, where: str, options: dict[str, Any]) -> None:
        """Refuse values of a wrong kind; `options` has them without their types."""
        if self.on_error is not None:
            checked_options({"on_error": self.on_error}, where)
        if options.get("timeout") is not None:
            _check_seconds("timeout", options["timeout"], where)
        if not isinstance(options.get("cancel"), CancelToken | None):
            raise UsageError(f"{where}: cancel is a CancelToken, not {self.cancel!r}")
        observers = options.get("observers", ())
        if not isinstance(observers, list | tuple) or not all(map(callable, observers)):
            raise UsageError(f"{where}: observers is a list of functions, not {observers!r}")
        if not isinstance(options.get("stages", {}), Mapping):
            raise UsageError(f"{where}: stages is {{name: {{option: value}}}}, not {self.stages!r}")


class _NotYet(UsageError, AttributeError):
    """Something of a later version; an AttributeError too, so that ``hasattr`` is false."""


def _check_seconds(option: str, value: Any, where: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise UsageError(f"{where}: {option} is a number of seconds above 0, not {value!r}")


def _check_iterable(items: Any, where: str) -> None:
    try:
        iter(items)
    except TypeError:
        raise UsageError(f"{where}: the items are any iterable, not {items!r}") from None


def _name_of(function: Any) -> str:
    name = getattr(function, "__name__", None)
    if not name or name == "<lambda>":
        raise UsageError(f"{function!r} has no name of its own; give the stage one with name=")
    return str(name)


def _source_names() -> Iterable[str]:
    return itertools.chain(("items",), (f"items_{n}" for n in itertools.count(2)))
