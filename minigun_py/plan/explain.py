"""The plan in words and as a picture, for a person who wonders why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from minigun_py.contexts.registry import traits_of
from minigun_py.placement import ContextKind, ContextSpec
from minigun_py.plan.affinity import Affinity
from minigun_py.plan.graph import StageGraph
from minigun_py.plan.segment import Exit, Segment
from minigun_py.plan.stage import DeclaredStage, OwnStage

__all__ = ["explain", "to_mermaid"]

Inboxes = Mapping[str, Segment] | None
"""Segments by the stage that receives their items; None where there are no queues."""

_ROLES = {
    "Producer": "makes the items",
    "Processor": "turns each item into others",
    "Accumulator": "turns the stream of items into another",
    "OwnStage": "takes items in, and keeps what it likes",
    "Consumer": "uses the items up",
}

_DEALT = {"round_robin": " in turn", "least_loaded": " if it has the least to do"}


def explain(
    segments: Sequence[Segment],
    affinities: Mapping[str, Affinity],
    notes: Sequence[str],
    all_inline: bool,
) -> str:
    """A paragraph for each stage, in the order in which items flow."""
    lines: list[str] = []
    inboxes = None if all_inline else {s.head.name: s for s in segments}
    for segment in segments:
        for index, stage in enumerate(segment.stages):
            lines.append(f"{stage.name}: {_role(stage)}")
            where = _where(segment.spec, all_inline) if index == 0 else _with(segment, stage)
            lines.append(f"  where  {where}")
            lines.append(f"  why    {affinities[stage.name].reason}")
            lines.extend(f"  sends  {line}" for line in _edges(segment, index, inboxes))
            lines.append("")
    lines.extend(f"note: {note}" for note in notes)
    return "\n".join(lines).rstrip()


def _role(stage: DeclaredStage) -> str:
    """What a stage does; a ready-made one can say it itself."""
    said = getattr(stage.instance, "does", None) if isinstance(stage, OwnStage) else None
    return said or _ROLES[type(stage).__name__]


def _with(segment: Segment, stage: DeclaredStage) -> str:
    others = ", ".join(name for name in segment.names if name != stage.name)
    return f"together with {others}"


def _where(spec: ContextSpec, all_inline: bool) -> str:
    if spec.kind is ContextKind.INLINE:
        return "in your program, one item at a time" + (
            "" if all_inline else ", on a thread of its own"
        )
    traits = traits_of(spec.kind)
    if traits.shares_memory:
        return f"in your program, {_items(spec.workers)} at once, each in a {traits.worker}"
    if traits.one_lease_each:
        most = f"at most {spec.workers} at once"
        return (
            f"in a {traits.worker} for every item, {most}, so it uses {_processors(spec.workers)}"
        )
    where = _counted(traits.worker, spec.workers)
    return f"in {where}, so it uses {_processors(spec.workers)}"


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"


def _counted(worker: str, count: int) -> str:
    if count == 1:
        return f"{'an' if worker[0] in 'aeiou' else 'a'} {worker} of its own"
    return f"{count} {worker}{'es' if worker.endswith('s') else 's'} of its own"


def _processors(count: int) -> str:
    return "one more processor" if count == 1 else f"up to {count} processors"


def _edges(segment: Segment, index: int, inboxes: Inboxes) -> list[str]:
    lines = [
        f"to {segment.stages[child].name} by a function call" for child in segment.children[index]
    ]
    for way_out in segment.exits:
        if way_out.stage == index:
            lines.extend(_exit_lines(segment, way_out, inboxes))
    for way_out in segment.dead_letters:
        if way_out.stage == index:
            lines.extend(f"to {target} what has failed" for target in way_out.targets)
    return lines


def _exit_lines(segment: Segment, way_out: Exit, inboxes: Inboxes) -> list[str]:
    if not way_out.targets:
        return ["what it returns to you (collect, stream)"]
    which = _which(segment.stages[way_out.stage], way_out)
    if inboxes is None:
        return [f"to {name}{which} in memory" for name in way_out.targets]
    room = "outside of its queue" if way_out.feedback else None
    return [
        f"to {name}{which} {_cost(segment.spec, inboxes[name], room)}" for name in way_out.targets
    ]


def _which(stage: DeclaredStage, way_out: Exit) -> str:
    """Which items take a way out, in words; nothing if all do."""
    if way_out.chosen:
        return " what its key says" if stage.options.routing == "partition" else " what it chooses"
    if way_out.references:
        return " back, by To," if way_out.feedback else " by To"
    return _DEALT.get(way_out.routing, "") if len(way_out.targets) > 1 else ""


def _cost(source: ContextSpec, target: Segment, room: str | None = None) -> str:
    crossings = [spec for spec in (source, target.spec) if not traits_of(spec.kind).shares_memory]
    room = room or f"through a queue of {target.head.options.queue_size}"
    if crossings:
        return f"{room}, each item pickled {'once' if len(crossings) == 1 else 'twice'}"
    return f"{room}, in memory"


def to_mermaid(segments: Sequence[Segment], graph: StageGraph) -> str:
    """The graph as Mermaid text; a segment of several stages is a box."""
    ids = {name: f"s{number}" for number, name in enumerate(graph.stages)}
    lines = ["flowchart LR"]
    for number, segment in enumerate(segments):
        nodes = [f'{ids[s.name]}["{_label(s.name)}"]' for s in segment.stages]
        if len(nodes) == 1 and segment.spec.kind is ContextKind.INLINE:
            lines.append(f"    {nodes[0]}")
            continue
        lines.append(f'    subgraph g{number}["{segment.spec}"]')
        lines.extend(f"        {node}" for node in nodes)
        lines.append("    end")
    lines.extend(f"    {ids[start]} --> {ids[end]}" for start, end in graph.dag.edges)
    for name in graph.stages:
        for route in graph.routes(name):
            back = route.targets if route.feedback else ()
            lines.extend(f"    {ids[name]} -. back .-> {ids[target]}" for target in back)
    return "\n".join(lines)


def _label(name: str) -> str:
    import re

    return re.sub(r'["<>#&`\x00-\x1f]', lambda found: f"#{ord(found.group())};", name)
