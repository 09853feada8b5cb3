"""The plan in words and as a picture, for a person who wonders why."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from minigun_py.contexts.registry import traits_of
from minigun_py.placement import ContextKind, ContextSpec
from minigun_py.plan.affinity import Affinity
from minigun_py.plan.graph import StageGraph
from minigun_py.plan.segment import Exit, Segment
from minigun_py.plan.stage import Stage

__all__ = ["explain", "to_mermaid"]

_ROLES = {
    "Producer": "makes the items",
    "Processor": "turns each item into others",
    "Accumulator": "gathers items into lists",
    "Consumer": "uses the items up",
}


def explain(
    segments: Sequence[Segment],
    affinities: Mapping[str, Affinity],
    notes: Sequence[str],
    all_inline: bool,
) -> str:
    """A paragraph for each stage, in the order in which items flow."""
    lines: list[str] = []
    for segment in segments:
        for index, stage in enumerate(segment.stages):
            lines.append(f"{stage.name}: {_ROLES[type(stage).__name__]}")
            where = _where(segment.spec, all_inline) if index == 0 else _with(segment, stage)
            lines.append(f"  where  {where}")
            lines.append(f"  why    {affinities[stage.name].reason}")
            lines.extend(f"  sends  {line}" for line in _edges(segment, index, segments))
            lines.append("")
    lines.extend(f"note: {note}" for note in notes)
    return "\n".join(lines).rstrip()


def _with(segment: Segment, stage: Stage) -> str:
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


def _edges(segment: Segment, index: int, segments: Sequence[Segment]) -> list[str]:
    lines = [
        f"to {segment.stages[child].name} by a function call" for child in segment.children[index]
    ]
    for way_out in segment.exits:
        if way_out.stage == index:
            lines.extend(_exit_lines(segment, way_out, segments))
    return lines


def _exit_lines(segment: Segment, way_out: Exit, segments: Sequence[Segment]) -> list[str]:
    if not way_out.targets:
        return ["what it returns to you (collect, stream)"]
    by_name = {s.head.name: s for s in segments}
    dealt = " in turn" if way_out.routing == "round_robin" and len(way_out.targets) > 1 else ""
    return [f"to {name}{dealt} {_cost(segment.spec, by_name[name])}" for name in way_out.targets]


def _cost(source: ContextSpec, target: Segment) -> str:
    crossings = [spec for spec in (source, target.spec) if not traits_of(spec.kind).shares_memory]
    room = f"through a queue of {target.head.options.queue_size}"
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
    return "\n".join(lines)


def _label(name: str) -> str:
    return re.sub(r'["<>#&`\x00-\x1f]', lambda found: f"#{ord(found.group())};", name)
