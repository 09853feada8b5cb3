"""Which stage feeds which: a `Dag` of names that obeys the rules of a pipeline.

Explicit edges come from ``to`` and ``from_``. A producer or processor without ``to`` feeds the
next stage in order of definition that is no producer and no sibling of its own, so that every
branch of a fan-out joins what comes after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from minigun_py.dag import CycleFound, Dag
from minigun_py.errors import UsageError
from minigun_py.plan.options import Reference, nearest
from minigun_py.plan.stage import Consumer, Producer, Stage

__all__ = ["StageGraph"]


class StageGraph:
    """The stages of a pipeline and their edges. Raises `UsageError` for what cannot run."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.stages: dict[str, Stage] = {}
        for stage in stages:
            self._add(stage)
        self.dag: Dag[str] = Dag()
        for name in self.stages:
            self.dag.add_node(name)
        self._connect_explicit()
        self._connect_implicit()
        self._refuse_cycle()

    @classmethod
    def of(cls, dag: Dag[str], stages: Mapping[str, Stage]) -> StageGraph:
        """A graph from edges that are already known to be right."""
        graph = object.__new__(cls)
        graph.stages, graph.dag = dict(stages), dag
        return graph

    def check_runnable(self) -> None:
        """Raise `UsageError` unless there is a producer, and each stage hears from one."""
        producers = [name for name, stage in self.stages.items() if isinstance(stage, Producer)]
        if not producers:
            raise UsageError(
                "the pipeline has no producer; add one with @pipe.producer or pipe.source(...), "
                "or give it items: pipe.run(items)"
            )
        reached = self.dag.reachable_from(producers)
        for name, stage in self.stages.items():
            if name not in reached:
                raise UsageError(f"{stage} can never receive an item; name it in a stage's to=")

    def fed_by(self, source: Producer) -> StageGraph:
        """The same graph with `source` in place of the producers."""
        producers = [name for name, stage in self.stages.items() if isinstance(stage, Producer)]
        entries = [t for name in producers for t in self.dag.successors(name)]
        if not producers:
            entries = list(self.dag.sources())
        else:  # how the items are dealt out is a matter of the pipeline, not of who gives them
            routing = self.stages[producers[0]].options.routing
            source = replace(source, options=replace(source.options, routing=routing))
        stages: dict[str, Stage] = {source.name: source}
        stages |= {n: stage for n, stage in self.stages.items() if n not in producers}
        edges = [(source.name, entry) for entry in entries]
        edges += [edge for edge in self.dag.edges if edge[0] not in producers]
        dag: Dag[str] = Dag()
        for name in stages:
            dag.add_node(name)
        for start, end in edges:
            dag.add_edge(start, end)
        return StageGraph.of(dag, stages)

    def _add(self, stage: Stage) -> None:
        if stage.name in self.stages:
            raise UsageError(f"{stage} has the name of {self.stages[stage.name]}")
        self.stages[stage.name] = stage

    def _connect_explicit(self) -> None:
        for stage in self.stages.values():
            for reference in stage.options.to or ():
                self._connect(stage, stage.name, self._resolve(reference, stage))
            for reference in stage.options.from_:
                self._connect(stage, self._resolve(reference, stage), stage.name)

    def _connect(self, asking: Stage, source: str, target: str) -> None:
        if isinstance(self.stages[target], Producer):
            raise UsageError(f"{asking}: a producer receives nothing, so {target!r} has no input")
        self.dag.add_edge(source, target)

    def _connect_implicit(self) -> None:
        order = list(self.stages)
        siblings = {name: self._siblings(name) for name in order}
        for position, name in enumerate(order):
            stage = self.stages[name]
            if stage.options.to is not None or isinstance(stage, Consumer):
                continue
            following = _first(
                order[position + 1 :],
                lambda other, mine=siblings[name]: (  # type: ignore[misc]
                    other not in mine and not isinstance(self.stages[other], Producer)
                ),
            )
            if following is not None:
                self.dag.add_edge(name, following)

    def _siblings(self, name: str) -> frozenset[str]:
        """Stages that share an explicit fan-out with this one."""
        fans = (self.dag.successors(source) for source in self.dag.predecessors(name))
        return frozenset(other for fan in fans for other in fan)

    def _resolve(self, reference: Reference, asking: Stage) -> str:
        name = self._name_of(reference)
        if name not in self.stages:
            raise UsageError(f"{asking}: there is no stage {name!r}{nearest(name, self.stages)}")
        return name

    def _name_of(self, reference: Reference) -> str:
        if isinstance(reference, str):
            return reference
        if isinstance(reference, Stage):
            return reference.name
        for stage in self.stages.values():
            function = getattr(stage, "function", getattr(stage, "source", None))
            if callable(function) and function == reference:  # no array: that compares oddly
                return stage.name
        return str(getattr(reference, "__name__", repr(reference)))

    def _refuse_cycle(self) -> None:
        try:
            self.dag.order()
        except CycleFound as found:
            path = " -> ".join(map(str, found.nodes))
            raise UsageError(
                f"the stages form a cycle: {path}; remove one of these edges"
            ) from None


def _first(names: Iterable[str], fits: Callable[[str], Any]) -> str | None:
    return next((name for name in names if fits(name)), None)
