"""Which stage feeds which: a `Dag` of paths that obeys the rules of a pipeline.

`wiring` works the edges out; here they become a graph that is known to be right. An edge is
*static*, taken by what a stage emits, a *route*, taken by what it sends with ``To``, or one for
*dead letters*, taken by items that have failed. All count for cycles, for what can be reached, and
for when a stage ends. A route with feedback is the one
edge that leads back; it is kept apart from the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from minigun_py.dag import CycleFound, Dag, circles
from minigun_py.errors import UsageError
from minigun_py.plan.hooks import Hook, Hooks
from minigun_py.plan.scope import Level, Scope
from minigun_py.plan.signature import location
from minigun_py.plan.stage import DeclaredStage, Producer
from minigun_py.plan.wiring import Route, Wires, wire
from minigun_py.record import replace

__all__ = ["Route", "StageGraph"]


class StageGraph:
    """The stages of a pipeline and their edges. Raises `UsageError` for what cannot run."""

    def __init__(self, scope: Scope | Sequence[DeclaredStage]) -> None:
        top = Level(scope if isinstance(scope, Scope) else _scope_of(scope))
        self.stages: dict[str, DeclaredStage] = {}
        for path, stage in top.all_stages():
            if path in self.stages:
                raise UsageError(f"{stage} has the path of {self.stages[path]}")
            self.stages[path] = stage
        self.hooks = Hooks(_hooks(top))
        wires = wire(top)
        self._set_edges(wires)
        _refuse_cycle(self.dag, self.stages)
        self.notes: tuple[str, ...] = ()
        """What was left out, in sentences."""
        self._check_feedback()
        if wires.rerouted:
            self._leave_out_the_unreached()

    @classmethod
    def of(cls, dag: Dag[str], stages: Mapping[str, DeclaredStage]) -> StageGraph:
        """A graph from edges that are already known to be right, every one of them static."""
        wires = Wires({name: _in_turn(dag.successors(name)) for name in dag.nodes})
        return cls._made(stages, wires)

    def static(self, name: str) -> tuple[str, ...]:
        """The stages that get what a stage emits."""
        return self._targets.get(name, ())

    def feeds(self, source: str, target: str) -> bool:
        """Whether a stage gets what another emits."""
        return target in self._static.get(source, ())

    def routes(self, name: str) -> tuple[Route, ...]:
        """Where a stage may send with ``To``."""
        return tuple(self._routes.get(name, ()))

    def dead_letters(self, name: str) -> tuple[str, ...]:
        """The stages that get what has failed in a stage."""
        return self._dead_letters.get(name, ())

    def gets_dead_letters(self, name: str) -> bool:
        """Whether a stage gets what has failed in another."""
        return name in self._letter_boxes

    def is_end(self, name: str) -> bool:
        """Whether what a stage emits is given to the caller: nobody else gets it."""
        forward = any(not route.feedback for route in self.routes(name))
        return not self.static(name) and not forward

    def comes_back_to(self, name: str) -> bool:
        """Whether a stage is sent something back, in a loop."""
        return name in self._returned_to

    def check_runnable(self) -> None:
        """Raise `UsageError` unless there is a producer, and each stage hears from one."""
        producers = self._producers
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
        producers = self._producers
        if not producers:
            entries = list(self.dag.sources())
        else:  # how the items are dealt out is a matter of the pipeline, not of who gives them
            entries = list(dict.fromkeys(t for name in producers for t in self.static(name)))
            said = self.stages[producers[0]].options
            source = replace(
                source, options=replace(source.options, routing=said.routing, key=said.key)
            )
        stages: dict[str, DeclaredStage] = {source.name: source}
        stages |= {n: stage for n, stage in self.stages.items() if n not in producers}
        static = {source.name: _in_turn(entries)}
        static |= {n: t for n, t in self._static.items() if n in stages}
        routes = {n: r for n, r in self._routes.items() if n in stages}
        made = self._made(stages, Wires(static, routes, self._dead_letters))
        made.notes, made.hooks = self.notes, self.hooks
        return made

    @classmethod
    def _made(cls, stages: Mapping[str, DeclaredStage], wires: Wires) -> StageGraph:
        graph = object.__new__(cls)
        graph.stages, graph.notes, graph.hooks = dict(stages), (), Hooks()
        graph._set_edges(wires)
        return graph

    @property
    def _producers(self) -> list[str]:
        return [name for name, stage in self.stages.items() if isinstance(stage, Producer)]

    def _set_edges(self, wires: Wires) -> None:
        self._static, self._routes = wires.static, wires.routes
        self._dead_letters = {n: t for n, t in wires.dead_letters.items() if n in self.stages}
        self._letter_boxes = {t for targets in self._dead_letters.values() for t in targets}
        self._targets = {name: tuple(targets) for name, targets in wires.static.items()}
        back = (r for routes in wires.routes.values() for r in routes if r.feedback)
        self._returned_to = frozenset(target for route in back for target in route.targets)
        self.dag: Dag[str] = Dag()
        for name in self.stages:
            self.dag.add_node(name)
        for name in self.stages:
            for target in self.static(name):
                self.dag.add_edge(name, target)
            for route in self.routes(name):
                for target in () if route.feedback else route.targets:
                    self.dag.add_edge(name, target)
            for target in self.dead_letters(name):
                self.dag.add_edge(name, target)

    def _check_feedback(self) -> None:
        back = [
            (name, target)
            for name in self.stages
            for route in self.routes(name)
            for target in (route.targets if route.feedback else ())
        ]
        if not back:
            return
        edges = {name: list(self.dag.successors(name)) for name in self.stages}
        for name, target in back:
            edges[name].append(target)
        circle_of = {name: circle for circle in circles(edges) for name in circle}
        for name, target in back:
            self._check_loop(name, target, circle_of.get(name, frozenset()))
        for name, stage in self.stages.items():
            if stage.pulls and name in circle_of:
                target = next(target for _, target in back if target in circle_of[name])
                raise UsageError(
                    f"{stage}: it is in a loop with {target!r}, and takes an iterator that would "
                    "end only after it; write a Stage with flush instead"
                )

    def _check_loop(self, name: str, target: str, circle: frozenset[str]) -> None:
        if target not in circle or name not in self.dag.reachable_from([target], circle):
            raise UsageError(
                f"{self.stages[name]}: feedback leads back, and {target!r} does not lead to it; "
                f"name {target!r} in routes"
            )

    def _leave_out_the_unreached(self) -> None:
        """What a reroute has cut off is no part of the pipeline any more."""
        producers = self._producers
        if not producers:
            return
        reached = self.dag.reachable_from(producers)
        cut_off = [name for name in self.stages if name not in reached]
        self.notes = tuple(f"stage {n!r} is left out: a reroute cut it off" for n in cut_off)
        self.stages = {n: stage for n, stage in self.stages.items() if n in reached}
        static = {
            name: {target: turn for target, turn in targets.items() if target in reached}
            for name, targets in self._static.items()
        }
        self._set_edges(Wires(static, self._routes, self._dead_letters))


def _in_turn(targets: Iterable[str]) -> dict[str, float]:
    return {target: turn for turn, target in enumerate(targets)}


def _hooks(level: Level) -> Iterator[Hook]:
    """The hooks of a pipeline and of those in it, with the paths of their stages."""
    for hook in level.scope.hooks:
        if hook.stage is None:
            yield hook
            continue
        where = location(hook.function)
        asking = f"hook {hook.kind}" + (f" ({where})" if where else "")
        found = level.resolve(hook.stage, asking)
        if isinstance(found, Level):
            raise UsageError(f"{asking}: {found.path!r} is a pipeline; name one of its stages")
        yield replace(hook, stage=found)
    for below in level.below():
        yield from _hooks(below)


def _scope_of(stages: Iterable[DeclaredStage]) -> Scope:
    members: dict[str, DeclaredStage] = {}
    for stage in stages:
        if stage.name in members:
            raise UsageError(f"{stage} has the name of {members[stage.name]}")
        members[stage.name] = stage
    return Scope(members)


def _refuse_cycle(dag: Dag[str], stages: Mapping[str, DeclaredStage]) -> None:
    try:
        dag.order()
    except CycleFound as found:
        *ring, first = map(str, found.nodes)
        at = [f" ({stages[n].location})" if stages[n].location else "" for n in ring]
        path = " -> ".join([*map("".join, zip(ring, at, strict=True)), first])
        raise UsageError(
            f"the stages form a cycle: {path}; remove one of these edges, or name the one that "
            "leads back in feedback"
        ) from None
