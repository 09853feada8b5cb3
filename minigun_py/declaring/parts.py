"""The parts of a pipeline: its stages, and the pipelines within it."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, Unpack, overload

from minigun_py.declaring.grounds import Grounds, caller
from minigun_py.declaring.hooks import HookDecorators
from minigun_py.declaring.stages import StageDecorators
from minigun_py.engine.ready_made import ReadyMade
from minigun_py.errors import UsageError
from minigun_py.plan.hooks import Hook
from minigun_py.plan.options import Ground, Options, Reference, checked_options, nearest
from minigun_py.plan.own_stage import Stage
from minigun_py.plan.scope import Nested, Scope
from minigun_py.plan.stage import DeclaredStage, OwnStage
from minigun_py.record import record, replace

if TYPE_CHECKING:
    from minigun_py.plan.stage_options import (
        BlockDefaults,
        EdgeOptions,
        NestedOptions,
        PipelineDefaults,
        UnnamedOptions,
    )

    P = TypeVar("P", bound="Parts")
    P_co = TypeVar("P_co", bound="Parts", covariant=True)

    class _HasPipe(Protocol[P_co]):
        """A `Job`, as far as it matters here."""

        @property
        def pipe(self) -> P_co: ...


__all__ = ["Parts"]


@record
class _Inner:
    """A pipeline that was added to another, and how."""

    name: str
    pipeline: Parts
    to: tuple[Reference, ...] | None
    from_: tuple[Reference, ...]
    location: str

    def __str__(self) -> str:
        return f"pipeline {self.name!r} ({self.location})"


class Parts(StageDecorators, HookDecorators):
    """What a pipeline is made of, and how it is given more."""

    def __init__(self, name: str = "pipeline", **defaults: Unpack[PipelineDefaults]) -> None:
        self.name = name
        self._grounds = Grounds(f"pipeline {name!r}", {**defaults})
        self._members: dict[str, DeclaredStage | _Inner] = {}
        self._changes: dict[str, dict[str, Any]] = {}
        self._hooks: list[Hook] = []
        self._reroutes: dict[str, tuple[Reference, ...]] = {}

    def __getitem__(self, name: str) -> DeclaredStage:
        return self._found(name)

    @overload
    def add(
        self, part: Stage, *, name: str | None = None, **options: Unpack[UnnamedOptions]
    ) -> DeclaredStage: ...
    @overload
    def add(self, part: P, *, name: str | None = None, **options: Unpack[EdgeOptions]) -> P: ...
    @overload
    def add(
        self, part: _HasPipe[P], *, name: str | None = None, **options: Unpack[EdgeOptions]
    ) -> P: ...
    def add(self, part: Any, *, name: str | None = None, **options: Any) -> Any:
        """Add a `Stage` of your own, or a whole `Pipeline` or `Job`.

        Args:
            part: What is added. A pipeline may be added twice, under two names.
            name: For a stage, the name of its class if left out; for a pipeline, its own.
            **options: For a stage, as for any; for a pipeline, `to` and `from_`.

        Returns:
            What was added, as a stage or as a pipeline.
        """
        if isinstance(part, Stage) and not isinstance(part, DeclaredStage):
            return self._add_stage(part, name or _snake(type(part).__name__), options)
        pipeline = getattr(part, "pipe", part)
        if not isinstance(pipeline, Parts):
            raise UsageError(
                f"pipeline {self.name!r}: add takes a Stage, a Pipeline or a Job, not {part!r}"
            )
        at = caller()
        where = f"pipeline {name or pipeline.name!r} ({at})"
        for option in options:
            if option not in ("to", "from_"):
                raise UsageError(
                    f"{where}: a pipeline is added with name, to and from_, not {option!r}; say "
                    "it to its stages"
                )
        if pipeline is self or pipeline.contains(self):
            raise UsageError(f"{where}: it would contain itself")
        said = checked_options(options, where)
        self._keep(_Inner(name or pipeline.name, pipeline, said.to, said.from_, at))
        return pipeline

    @contextmanager
    def pipeline(self, name: str, **options: Unpack[NestedOptions]) -> Iterator[Self]:
        """Declare a pipeline within this one::

            with pipe.pipeline("clean") as clean:
                @clean.processor
                def strip(line): ...

        Args:
            name: Its stages are known from outside as ``name.stage``.
            **options: `to` and `from_`; and what can be said for all stages of a pipeline.
        """
        given: dict[str, Any] = {**options}
        edges = {option: given.pop(option) for option in ("to", "from_") if option in given}
        inner = type(self)(name, **(self._grounds.defaults | given))
        inner._grounds.inherit(self._grounds, given)  # noqa: SLF001 - of its own class
        self.add(inner, name=name, **edges)
        yield inner

    def contains(self, other: Parts) -> bool:
        """Whether another pipeline is a part of this one, at any depth."""
        return any(inner is other or inner.contains(other) for inner in self._inner())

    def defaults(self, **options: Unpack[BlockDefaults]) -> AbstractContextManager[None]:
        """Say something for all stages that are declared in a ``with`` block.

        Stages of the block that feed each other share their workers. What a stage says itself, or
        an inner block, comes first. Producers and stages that keep state stay where they are.
        """
        return self._grounds.block(f"the block at {caller()}", {**options})

    def context(self, name: str, execution: str, workers: int | None = None) -> None:
        """Name a context, so that stages can say ``execution=name``."""
        self._grounds.name_context(name, execution, workers)

    def configure(self, stage: str, **options: Any) -> None:
        """Change options of a stage that is declared, by its name or its path."""
        self._changed(self._found(stage, UsageError), options, None)
        self._changes.setdefault(stage, {}).update(options)

    def locate(self, member: str, location: str) -> None:
        """Say where a member was declared, if that was not where it was asked for."""
        self._members[member] = replace(self._members[member], location=location)

    def reroute(self, stage: str, targets: Any) -> None:
        """Replace the targets of a stage, also those that follow from the order of definition.

        What nothing leads to any more is left out, and `explain` says so.
        """
        given = checked_options({"to": targets}, f"reroutes of {stage!r}").to
        self._reroutes[stage] = given or ()

    @property
    def limits(self) -> dict[str, int]:
        """The bounds on workers, the strictest of this pipeline and of those in it."""
        limits = dict(self._grounds.limits)
        for inner in self._inner():
            for name, limit in inner.limits.items():
                limits[name] = min(limit, limits.get(name, limit))
        return limits

    def scope(
        self, changes: Mapping[str, Mapping[str, Any]], around: Ground | None = None
    ) -> Scope:
        """All that was declared, for the plan.

        Args:
            changes: Options by name or path of a stage, over what it said before.
            around: What the pipeline around this one says about where stages run.
        """
        for path in changes:
            self._found(path, UsageError)
        merged = {
            path: self._changes.get(path, {}) | dict(changes.get(path, {}))
            for path in (*self._changes, *changes)
        }
        mine = self._grounds.pipeline
        ground = around if around is not None and mine == Ground() else mine
        members: dict[str, DeclaredStage | Nested] = {}
        for name, member in self._members.items():
            if isinstance(member, _Inner):
                scope = member.pipeline.scope(_below(name, merged), ground)
                to, from_, at = member.to, member.from_, member.location
                members[name] = Nested(name, scope, member.pipeline, to, from_, at)
            else:
                stands_on = None if around is None else ground
                members[name] = self._changed(member, merged.get(name), stands_on)
        return Scope(members, self._reroutes, tuple(self._hooks))

    def _inner(self) -> Iterator[Parts]:
        return (m.pipeline for m in self._members.values() if isinstance(m, _Inner))

    def _found(self, path: str, error: type[Exception] = KeyError) -> DeclaredStage:
        """The stage of this name or path."""
        member = self._members.get(path)
        if isinstance(member, DeclaredStage):
            return member
        first, _, rest = str(path).partition(".")
        inner = self._members.get(first)
        if isinstance(inner, _Inner) and rest:
            return inner.pipeline._found(rest, error)  # noqa: SLF001 - of its own class
        raise error(f"no stage {path!r}{nearest(str(path), self._members)}")

    def _options(
        self, given: Mapping[str, Any], where: str, stays: bool = False, timed: bool = False
    ) -> Options:
        return self._grounds.options(dict(given), where, stays, timed)

    def _changed(
        self, stage: DeclaredStage, change: Mapping[str, Any] | None, around: Ground | None
    ) -> DeclaredStage:
        options = stage.options
        if change and isinstance(stage, OwnStage) and isinstance(stage.instance, ReadyMade):
            stage, change = _remade(stage, change)
        if change:
            new = self._grounds.said(dict(change), str(stage))
            options = replace(options, **{name: getattr(new, name) for name in change})
            if new.ground.block is not None:
                options = replace(options, ground=new.ground)
        if around is not None and options.ground.block is None:
            options = replace(options, ground=around)
        return stage if options is stage.options else replace(stage, options=options)

    def _keep(self, member: DeclaredStage | _Inner) -> None:
        name: Any = member.name
        if not isinstance(name, str) or not name:
            raise UsageError(f"{member}: a name is a text, not {name!r}")
        in_a_notebook = hasattr(builtins, "__IPYTHON__")  # where a cell may be run again
        if member.name in self._members and not in_a_notebook:
            other = self._members[member.name]
            raise UsageError(f"{member} has the name of {other}; give it name=")
        self._members[member.name] = member


def _remade(stage: OwnStage, change: Mapping[str, Any]) -> tuple[OwnStage, dict[str, Any]]:
    """A ready-made stage with other arguments, and the options that are for any stage."""
    assert isinstance(stage.instance, ReadyMade)
    arguments = {n: v for n, v in change.items() if n in stage.instance.arguments}
    made = stage.instance.with_arguments(str(stage), **arguments)
    own = {n: v for n, v in change.items() if n not in arguments or n == "key"}
    return replace(stage, instance=made), own


def _below(name: str, changes: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The changes for what lies within a member."""
    inside = f"{name}."
    return {path[len(inside) :]: o for path, o in changes.items() if path.startswith(inside)}


def _snake(name: str) -> str:
    import re  # here: few pipelines have classes in them

    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
