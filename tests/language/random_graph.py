"""Random pipelines, and what each of them has to give: a program of ten lines, without a thread.

A drawn stage is a `Node`. `built` makes a pipeline of the nodes; `expected` takes them one after
the other, in an order in which items flow forward, and runs each over all that it receives. Who of
several equal targets gets an item is for the run to say in a rotation, so such targets are *twins*:
the same function with the same ways out, where it makes no difference to the whole who got what.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from minigun_py import Pipeline, Stage, To
from minigun_py.dag import circles
from minigun_py.engine.partition import share_of

__all__ = ["FORKS", "THREADS", "Graph", "Node", "built", "expected", "graphs"]

MOST_STAGES = 30
MOST_ITEMS = 2_000
ROUND = 10_000
"""By this much a value is smaller after each round in a loop, so that none goes on for ever."""
ROUNDS = 1

SOURCES = ("listed", "yielded", "pushed")
EACH = ("add", "drop", "many")
"""Kinds that make of each item what they make of it alone, so that they can have twins."""
WHOLE = ("total", "keep", "stream", "once", "batch")
"""Kinds that see all items."""
PULLING = ("total", "stream")
"""Kinds that take an iterator, and cannot be in a loop."""

SPREAD = ("round_robin", "least_loaded")
THREADS = ("inline", "thread", "async")
FORKS = ("fork",)


@dataclass
class Node:
    """A stage of a random pipeline, and how it sends."""

    name: str
    kind: str
    number: int = 0
    targets: list[str] = field(default_factory=list)
    routing: str = "broadcast"
    options: dict[str, Any] = field(default_factory=dict)
    home: int = 0
    """In which of the nested pipelines it is declared."""
    back: str | None = None
    """A stage before it, to which it sends what has not gone round often enough."""
    letters: str | None = None
    """The stage that gets the items on which it fails."""

    @property
    def static(self) -> list[str]:
        """The targets that are named in ``to``: every second one, where others are routes."""
        return self.targets[1::2] if self.routing == "routes" else self.targets

    @property
    def is_end(self) -> bool:
        """Whether what it gives is given to the caller."""
        return not self.targets

    @property
    def routes(self) -> list[str]:
        """The targets that are named in ``routes``."""
        return self.targets[::2] if self.routing == "routes" else []

    def fails_on(self, item: int) -> bool:
        """Whether an item is a dead letter."""
        return self.letters is not None and item % 13 == 5

    def gives(self, items: list[int]) -> list[int]:
        """What it makes of all that it receives, in any order."""
        if self.kind == "letters":
            return items
        if self.kind in SOURCES:
            return list(range(self.number))
        if self.kind in EACH:
            return [value for item in items for value in self.of_each(item)]
        if self.kind == "total":
            return [sum(items)]
        return sorted(set(items)) if self.kind == "once" else items

    def of_each(self, item: int) -> list[int]:
        """What it makes of one item."""
        if self.kind == "add":
            return [item + self.number]
        if self.kind == "drop":
            return [] if item % 3 == self.number % 3 else [item]
        return [item + n for n in range(item % 3)]

    def goes_to(self, value: int) -> list[str]:
        """The targets of a value that it gives."""
        if self.routing == "choice":
            return self.chosen(value)
        if self.routing == "partition":
            return [self.targets[share_of(value % 5, len(self.targets))]]
        if self.routing == "routes":
            return self.static + self.named(value)
        return self.targets[:1] if self.routing in SPREAD else self.targets

    def chosen(self, value: int) -> list[str]:
        """The targets that it names in a ``routing`` function."""
        return self.targets[value % 2 : value % 7]

    def named(self, value: int) -> list[str]:
        """The targets that it names in a `To`."""
        return self.routes if value % 4 == 0 else self.routes[value % len(self.routes) :][:1]

    def returns(self, value: int) -> list[int]:
        """What it sends back of a value that it gives."""
        return [value - ROUND] if self.back is not None and value > -ROUNDS * ROUND else []

    def emits(self, values: list[int]) -> Iterator[Any]:
        """The values as a stage emits them."""
        for value in values:
            yield from (To(self.back, again) for again in self.returns(value))
            if self.routes:
                yield To(self.named(value), value)
            if self.static or not self.routes:
                yield value


@dataclass
class Graph:
    """The nodes of a random pipeline, those that feed others before them."""

    nodes: list[Node]
    order: list[int]
    """In which order they are defined."""
    defaults: dict[str, Any] = field(default_factory=dict)


def expected(graph: Graph) -> Counter[int]:
    """What the end stages give, in the plainest way."""
    returned: dict[str, list[int]] = {}
    while True:  # until what goes back is what went back
        received = {node.name: list(returned.get(node.name, ())) for node in graph.nodes}
        outputs, back = Counter[int](), dict[str, list[int]]()
        for node in graph.nodes:
            letters = [item for item in received[node.name] if node.fails_on(item)]
            if node.letters is not None:
                received[node.letters] += letters
            given = node.gives([n for n in received[node.name] if not node.fails_on(n)])
            outputs.update(given if node.is_end else ())
            for value in given:
                for target in node.goes_to(value):
                    received[target].append(value)
                back.setdefault(node.back or "", []).extend(node.returns(value))
            assume(sum(map(len, received.values())) <= MOST_ITEMS)
        if back == returned:
            return outputs
        returned = back


# --------------------------------------------------------------------------- as a pipeline


class Keep(Stage):
    """Keeps everything until the end."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def setup(self) -> None:
        self.kept: list[int] = []

    def process(self, item: int) -> None:
        self.kept.append(item)

    def flush(self) -> Iterator[Any]:
        kept, self.kept = self.kept, []
        yield from self.node.emits(kept)


def built(graph: Graph) -> Pipeline:
    """The same as a pipeline, with two others nested in it."""
    pipe = Pipeline("random", **graph.defaults)
    with pipe.pipeline("inner", to=[]) as inner, inner.pipeline("deep", to=[]) as deep:
        homes = (pipe, inner, deep)
    for place in graph.order:
        node = graph.nodes[place]
        declare(homes[node.home], node)
    return pipe


def declare(pipe: Pipeline, node: Node) -> None:
    """Declare a node as one stage, or, for a batch, as two."""
    said = {"name": node.name} | node.options
    out = ways_out(node)
    if node.kind == "letters":
        pipe.consumer(lambda failed: failed.item, **said)
    elif node.kind == "batch":
        pipe.batch(1 + node.number % 4, **said, to=f"{node.name}_each")
        pipe.unbatch(name=f"{node.name}_each", **out)
    elif node.kind == "once":
        pipe.deduplicate(**said, **out)
    elif node.kind == "keep":
        pipe.add(Keep(node), **said, **out)
    elif node.kind == "listed" and not node.routes:
        pipe.source(range(node.number), **said, **out)
    elif node.kind in SOURCES:
        pipe.producer(source_of(node), **said, **out)
    elif node.kind == "total":
        pipe.accumulator(total_of(node), **said, **out)
    elif node.kind == "stream":
        pipe.processor(stream_of(node), **said, **out, stream=True)
    else:
        pipe.processor(function_of(node), **said, **out)


def ways_out(node: Node) -> dict[str, Any]:
    """The options that say where it sends."""
    out: dict[str, Any] = {"to": node.static, "routes": node.routes}
    if node.back is not None:
        out["feedback"] = node.back
    if node.letters is not None:
        out["dead_letter"] = node.letters
    if node.routing in (*SPREAD, "partition"):
        out["routing"] = node.routing
    if node.routing == "partition":
        out["key"] = lambda value: value % 5
    if node.routing == "choice":
        out["routing"] = node.chosen
    return out


def source_of(node: Node) -> Callable[..., Any]:
    def pushed(output: Any) -> None:
        for value in node.emits(list(range(node.number))):
            output(value)

    def yielded() -> Iterator[Any]:
        yield from node.emits(list(range(node.number)))

    return pushed if node.kind == "pushed" else yielded


def total_of(node: Node) -> Callable[..., Any]:
    def total(items: Iterator[int]) -> Iterator[Any]:
        yield from node.emits([sum(items)])

    return total


def stream_of(node: Node) -> Callable[..., Any]:
    def stream(items: Iterator[int]) -> Iterator[Any]:
        for item in items:
            yield from node.emits([item])

    return stream


def function_of(node: Node) -> Callable[..., Any]:
    def of_each(item: int) -> list[int]:
        if node.fails_on(item):
            raise ValueError(item)
        return node.of_each(item)

    def yields(item: int) -> Iterator[Any]:
        yield from node.emits(of_each(item))

    def returns(item: int) -> Any:
        return next(node.emits(of_each(item)), None)

    async def waits(item: int) -> AsyncIterator[Any]:
        for value in node.emits(of_each(item)):
            yield value

    if node.options.get("execution") == "async":
        return waits
    return yields if node.kind == "many" or node.routes or node.back else returns


# --------------------------------------------------------------------------- drawn


@st.composite
def graphs(draw: st.DrawFn, kinds: tuple[str, ...] = THREADS, forks: int = 0) -> Graph:
    """A pipeline of at most 30 stages, of which at most `forks` fork."""
    groups = [[Node("s0", draw(st.sampled_from(SOURCES)), draw(st.integers(0, 40)))]]
    most = draw(st.integers(2, MOST_STAGES - 4))
    while sum(map(_stages, groups)) < most:
        grow(draw, groups)
    for group in groups:
        send(draw, group)
    nodes = [node for group in groups for node in group]
    for _ in range(draw(st.sampled_from((0, 0, 1, 3)))):
        send_back(draw, groups)
    for node in nodes:
        place(draw, node, kinds)
    nodes += letter_boxes(draw, groups)
    for _ in range(forks):
        node = draw(st.sampled_from(nodes))
        if node.kind not in SOURCES and node.options.get("execution") != "async":
            node.options["execution"] = "fork"
    defaults = draw(st.sampled_from(({}, {}, {"execution": "thread", "workers": 2})))
    return Graph(nodes, draw(st.permutations(range(len(nodes)))), defaults)


def _stages(group: list[Node]) -> int:
    return sum(2 if node.kind == "batch" else 1 for node in group)


def grow(draw: st.DrawFn, groups: list[list[Node]]) -> None:
    """Add a source, or a stage that those before it feed; it may have twins."""
    number, name = draw(st.integers(0, 9)), f"s{len(groups)}"
    if draw(st.integers(0, 9)) == 0:
        groups.append([Node(name, draw(st.sampled_from(SOURCES)), number)])
        return
    kind = draw(st.sampled_from(EACH * 3 + WHOLE))
    twins = draw(st.sampled_from((1, 1, 1, 2, 3))) if kind in EACH else 1
    new = [Node(f"{name}_{n}" if n else name, kind, number) for n in range(twins)]
    feeders = draw(st.lists(st.sampled_from(range(len(groups))), min_size=1, max_size=2))
    for feeder in set(feeders):
        for node in groups[feeder]:
            node.targets += [twin.name for twin in new]
    groups.append(new)


def send(draw: st.DrawFn, group: list[Node]) -> None:
    """How a group deals out what it gives; all of its twins alike."""
    first = group[0]
    choices = ["broadcast"]
    if len(first.targets) > 1:
        choices.append("choice")
        if first.kind != "once":  # its key is what it tells items apart by
            choices.append("partition")
        if len({name.partition("_")[0] for name in first.targets}) == 1:
            choices += SPREAD * 2
    if first.targets and first.kind not in ("once", "batch"):
        choices.append("routes")
    routing = draw(st.sampled_from(choices))
    for node in group:
        node.routing = routing


def send_back(draw: st.DrawFn, groups: list[list[Node]]) -> None:
    """Let a group send back to a stage that leads to it, if none in the loop takes an iterator."""
    nodes = [node for group in groups for node in group]
    ways = {n.name: n.targets + [n.back] * (n.back is not None) for n in nodes}
    able = [group for group in groups if group[0].kind in EACH]
    if not able:
        return
    group = draw(st.sampled_from(able))
    twins = {node.name for node in group}
    leading = [n.name for n in nodes if n.kind not in SOURCES and twins <= _reached(nodes, n.name)]
    if not leading:
        return
    back = draw(st.sampled_from(leading))
    loops = circles(ways | {name: [*ways[name], back] for name in twins})
    if not any(n.kind in PULLING and n.name in loop for loop in loops for n in nodes):
        for node in group:
            node.back = back


def letter_boxes(draw: st.DrawFn, groups: list[list[Node]]) -> list[Node]:
    """Stages that get the items on which others fail; one may be for several."""
    able = [group for group in groups if group[0].kind in EACH]
    boxes = [Node(f"letters_{n}", "letters") for n in range(draw(st.sampled_from((0, 0, 1, 2))))]
    used: dict[str, Node] = {}
    for group in able if boxes else ():
        box = draw(st.sampled_from([None, *boxes]))
        for node in group if box is not None else ():
            node.letters, used[box.name] = box.name, box
    return list(used.values())


def _reached(nodes: list[Node], start: str) -> set[str]:
    reached = {start}
    for node in nodes:  # those that feed others come first
        if node.name in reached:
            reached.update(node.targets)
    return reached


def place(draw: st.DrawFn, node: Node, kinds: tuple[str, ...]) -> None:
    """Where a node is declared, where it runs, and how."""
    node.home = draw(st.sampled_from((0, 0, 1, 2)))
    if node.kind in SOURCES:
        return
    said = node.options
    said["queue_size"] = draw(st.sampled_from((1, 3, 1000)))
    said["chunk"] = draw(st.sampled_from((None, 1, 3)))
    if draw(st.booleans()):
        return
    said["execution"] = draw(st.sampled_from(kinds if node.kind in EACH else kinds[:2]))
    if node.kind not in EACH or said["execution"] == "inline":
        return
    said["workers"] = draw(st.integers(1, 3))
    if said["execution"] != "async":
        said["max_items_per_worker"] = draw(st.sampled_from((None, None, 2)))
    manner = draw(st.sampled_from(("any", "any", "ordered", "key")))
    if manner == "ordered":
        said["ordered"] = True
    if manner == "key" and node.routing != "partition":
        said["key"] = abs
