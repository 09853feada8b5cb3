"""A source item has ended when all that came of it has, as the worst of it did."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from minigun_py.engine.lineage import Ending, Lineage

FINISHED, DEAD_LETTERED, UNFINISHED = Ending


def test_an_item_of_one_piece_ends_with_it() -> None:
    lineage = Lineage[str]()
    assert lineage.end(lineage.begin("a")) == [("a", FINISHED)]
    assert len(lineage) == 0


def test_an_item_in_pieces_ends_with_the_last_of_them() -> None:
    lineage = Lineage[str]()
    node = lineage.begin("a")
    lineage.split(node, 2)
    assert [lineage.end(node), lineage.end(node), lineage.end(node)] == [[], [], [("a", FINISHED)]]


def test_it_ends_as_the_worst_of_its_pieces() -> None:
    lineage = Lineage[str]()
    node = lineage.begin("a")
    lineage.split(node, 2)
    lineage.end(node, DEAD_LETTERED)
    lineage.spoil(node, UNFINISHED)
    lineage.end(node)
    assert lineage.end(node) == [("a", UNFINISHED)]


def test_the_items_of_a_batch_end_with_the_batch() -> None:
    lineage = Lineage[str]()
    batch = lineage.join([lineage.begin("a"), lineage.begin("b")])
    lineage.split(batch, 1)
    assert lineage.end(batch, DEAD_LETTERED) == []
    assert sorted(lineage.end(batch)) == [("a", DEAD_LETTERED), ("b", DEAD_LETTERED)]


def test_pieces_of_one_item_that_come_together_are_one_piece_of_it() -> None:
    lineage = Lineage[str]()
    node = lineage.begin("a")
    lineage.split(node, 2)
    assert lineage.join([node, node, node]) == node
    assert lineage.end(node) == [("a", FINISHED)]


def test_what_comes_of_nothing_finishes_nothing() -> None:
    lineage = Lineage[str]()
    assert lineage.end(lineage.join([])) == []


def test_a_long_line_of_batches_needs_no_deep_stack() -> None:
    lineage = Lineage[str]()
    node, other = lineage.begin("a"), lineage.begin("b")
    for _ in range(10_000):
        node = lineage.join([node, other])
        lineage.split(node, 1)
        other = node
    lineage.end(node)
    assert sorted(lineage.end(node)) == [("a", FINISHED), ("b", FINISHED)]


class Lines(RuleBasedStateMachine):
    """Beside it a model that knows of every piece which source items it comes from."""

    pieces = Bundle("pieces")

    def __init__(self) -> None:
        super().__init__()
        self.lineage = Lineage[int]()
        self.living: list[Any] = []
        self.worst: dict[int, Ending] = {}
        self.ended: set[int] = set()

    @rule(target=pieces)
    def begin(self) -> Any:
        source = len(self.worst)
        self.worst[source] = FINISHED
        return self.born(self.lineage.begin(source), {source})

    @rule(target=pieces, piece=pieces)
    def split(self, piece: Any) -> Any:
        if piece not in self.living:
            return piece
        node, sources = piece[:2]
        self.lineage.split(node, 1)
        return self.born(node, sources)

    @rule(target=pieces, some=st.lists(consumes(pieces), max_size=4))
    def join(self, some: list[Any]) -> Any:
        joined = [piece for piece in some if piece in self.living]
        for piece in joined:
            self.living.remove(piece)
        node = self.lineage.join([piece[0] for piece in joined])
        return self.born(node, {source for piece in joined for source in piece[1]})

    @rule(piece=consumes(pieces), how=st.sampled_from(Ending))
    def end(self, piece: Any, how: Ending) -> None:
        if piece not in self.living:
            return
        node, sources = piece[:2]
        self.living.remove(piece)
        for source in sources:
            self.worst[source] = max(self.worst[source], how)
        over = {s for s in sources if not any(s in other[1] for other in self.living)}
        assert sorted(self.lineage.end(node, how)) == sorted((s, self.worst[s]) for s in over)
        self.ended |= over

    @invariant()
    def nothing_is_kept_of_what_has_ended(self) -> None:
        assert bool(len(self.lineage)) == bool(self.living)

    def born(self, node: int, sources: set[int]) -> Any:
        piece = (node, frozenset(sources), object())
        self.living.append(piece)
        return piece


TestLines = Lines.TestCase
