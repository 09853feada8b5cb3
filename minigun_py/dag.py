"""A directed graph that should have no cycles: order, layers, reachability, and the cycle if any.

Why: stages, jobs and services all depend on each other in this shape. What a node means is none
of this module's business.

How::

    dag = Dag[str]()
    for stage in ("read", "parse", "write"):
        dag.add_node(stage)
    dag.add_edge("read", "parse")
    dag.add_edge("parse", "write")
    dag.order()                      # ("read", "parse", "write")

Everything that is returned is in definition order as far as the edges allow, so the same program
always gets the same answers. All is linear in nodes and edges but `order` and `layers`, which
sort what is ready; nothing recurses, so a graph may be as deep as it likes.
"""

from __future__ import annotations

import heapq
from collections.abc import Container, Hashable, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Generic, TypeVar

from minigun_py.errors import MinigunError

__all__ = ["CycleFound", "Dag", "circles"]

Node = TypeVar("Node", bound=Hashable)


class CycleFound(MinigunError):
    """The graph has a cycle; `nodes` is the whole of it, its first node repeated at the end."""

    def __init__(self, nodes: tuple[Hashable, ...]) -> None:
        super().__init__(nodes)
        self.nodes = nodes

    def __str__(self) -> str:
        return "these depend on each other in a cycle: " + " -> ".join(map(str, self.nodes))


class Dag(Generic[Node]):
    """Hashable nodes and directed edges between them, both kept in the order they were added."""

    def __init__(self) -> None:
        self._successors: dict[Node, dict[Node, None]] = {}  # dicts: sets that keep their order
        self._predecessors: dict[Node, dict[Node, None]] = {}
        self._edges: dict[tuple[Node, Node], None] = {}

    def add_node(self, node: Node) -> None:
        """Add a node; one that is there already stays as it is."""
        self._successors.setdefault(node, {})
        self._predecessors.setdefault(node, {})

    def add_edge(self, source: Node, target: Node) -> None:
        """Add an edge; one that is there already stays as it is. A cycle is not looked for here.

        Raises:
            KeyError: `source` or `target` is not a node.
        """
        self._check_known(source)
        self._check_known(target)
        self._successors[source][target] = None
        self._predecessors[target][source] = None
        self._edges[source, target] = None

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every node."""
        return tuple(self._successors)

    @property
    def edges(self) -> tuple[tuple[Node, Node], ...]:
        """Every edge, as (source, target)."""
        return tuple(self._edges)

    def successors(self, node: Node) -> tuple[Node, ...]:
        """The targets of the edges that leave `node`. Raises KeyError for what is not a node."""
        self._check_known(node)
        return tuple(self._successors[node])

    def predecessors(self, node: Node) -> tuple[Node, ...]:
        """The sources of the edges that enter `node`. Raises KeyError for what is not a node."""
        self._check_known(node)
        return tuple(self._predecessors[node])

    def sources(self) -> tuple[Node, ...]:
        """The nodes that no edge enters."""
        return tuple(node for node, before in self._predecessors.items() if not before)

    def sinks(self) -> tuple[Node, ...]:
        """The nodes that no edge leaves."""
        return tuple(node for node, after in self._successors.items() if not after)

    def order(self) -> tuple[Node, ...]:
        """All nodes, each after its predecessors; where that leaves a choice, the first defined.

        Raises:
            CycleFound: There is no such order.
        """
        sorter, nodes, place = self._prepared(), self.nodes, self._places()
        ready = [place[node] for node in sorter.get_ready()]
        heapq.heapify(ready)
        ordered = []
        while ready:
            node = nodes[heapq.heappop(ready)]
            ordered.append(node)
            sorter.done(node)
            for freed in sorter.get_ready():
                heapq.heappush(ready, place[freed])
        return tuple(ordered)

    def layers(self) -> list[tuple[Node, ...]]:
        """The nodes by the length of the longest path that leads to them, sources first.

        Raises:
            CycleFound: There are no such layers.
        """
        sorter, place = self._prepared(), self._places()
        layers = []
        while sorter.is_active():
            ready = sorter.get_ready()
            layers.append(tuple(sorted(ready, key=place.__getitem__)))
            sorter.done(*ready)
        return layers

    def reachable_from(
        self, nodes: Iterable[Node], within: Container[Node] | None = None
    ) -> frozenset[Node]:
        """`nodes` and all that paths from them lead to; through the nodes `within`, if given.

        Raises KeyError for what is not a node.
        """
        found = set(nodes)
        for node in found:
            self._check_known(node)
        unvisited = list(found)
        while unvisited:
            new = [node for node in self._successors[unvisited.pop()] if node not in found]
            if within is not None:
                new = [node for node in new if node in within]
            found.update(new)
            unvisited += new
        return frozenset(found)

    def cycle(self) -> tuple[Node, ...] | None:
        """One cycle, from its first defined node round to that node again; None if there is none.

        Each node has an edge to the next.
        """
        try:
            TopologicalSorter(self._predecessors).prepare()
        except CycleError as error:
            return self._turned(error.args[1])
        return None

    def _prepared(self) -> TopologicalSorter[Node]:
        sorter = TopologicalSorter(self._predecessors)
        try:
            sorter.prepare()
        except CycleError as error:
            raise CycleFound(self._turned(error.args[1])) from None
        return sorter

    def _turned(self, cycle: list[Node]) -> tuple[Node, ...]:
        """The same cycle, begun at its first defined node."""
        ring, place = cycle[:-1], self._places()
        start = min(range(len(ring)), key=lambda index: place[ring[index]])
        return (*ring[start:], *ring[: start + 1])

    def _places(self) -> dict[Node, int]:
        return {node: place for place, node in enumerate(self._successors)}

    def _check_known(self, node: Node) -> None:
        if node not in self._successors:
            raise KeyError(f"{node!r} is not a node of this graph: add it with add_node first")


def circles(edges: Mapping[Node, Iterable[Node]]) -> list[frozenset[Node]]:
    """The nodes that lead back to themselves, each with all that it goes round with.

    `edges` has every node with those that it leads to, and may have cycles. These are the strongly
    connected components in which there is an edge, found as by Kosaraju: linear in all edges.
    """
    backward: dict[Node, list[Node]] = {node: [] for node in edges}
    for node, targets in edges.items():
        for target in targets:
            backward[target].append(node)
    seen: set[Node] = set()
    found: list[frozenset[Node]] = []
    for node in reversed(_finished(edges)):
        circle = _unseen_from(node, backward, seen)
        if len(circle) > 1 or (circle and node in backward[node]):
            found.append(frozenset(circle))
    return found


def _finished(edges: Mapping[Node, Iterable[Node]]) -> list[Node]:
    """Every node, in the order in which a search that goes deep first has done with it."""
    seen: set[Node] = set()
    done: list[Node] = []
    for root in edges:
        path = [] if root in seen else [(root, iter(edges[root]))]
        seen.add(root)
        while path:
            node, rest = path[-1]
            following = next(((n,) for n in rest if n not in seen), None)
            if following is None:
                done.append(node)
                path.pop()
            else:
                seen.update(following)
                path.append((following[0], iter(edges[following[0]])))
    return done


def _unseen_from(node: Node, edges: Mapping[Node, Iterable[Node]], seen: set[Node]) -> list[Node]:
    """A node and all that it leads to, but for what has been seen; which they are from now on."""
    found = [] if node in seen else [node]
    seen.update(found)
    for reached in found:  # it grows meanwhile
        new = dict.fromkeys(n for n in edges[reached] if n not in seen)
        seen.update(new)
        found.extend(new)
    return found
