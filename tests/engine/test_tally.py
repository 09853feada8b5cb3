"""What stages did follows from the counters of their loops."""

from __future__ import annotations

from minigun_py.engine.tally import Tally, counted
from minigun_py.record import replace

VALUE = Tally(draws=False, tells_emitted=False, filters=True, is_routed=False, children=(1,))
LAST = replace(VALUE, children=())


def numbers(*tallies: Tally, received: int, **counters: list[int]) -> list[tuple[int, ...]]:
    """Received, completed, filtered, failed, cancelled and emitted of each stage."""
    names = ("nones", "emitted", "failed", "cancelled", "usual")
    given = [counters.get(name, [0] * len(tallies)) for name in names]
    return [
        (c.received, c.completed, c.filtered, c.failed, c.cancelled, c.emitted)
        for c in counted(tallies, received, *given)
    ]


def test_a_stage_that_gives_one_value_has_emitted_all_but_what_it_filtered() -> None:
    first, second = numbers(VALUE, LAST, received=10, nones=[3, 0], failed=[1, 0])
    assert first == (10, 6, 3, 1, 0, 6)
    assert second == (6, 6, 0, 0, 0, 6)


def test_a_stage_that_gives_many_is_counted() -> None:
    many = replace(VALUE, tells_emitted=True)
    first, second = numbers(many, LAST, received=4, emitted=[9, 0])
    assert first == (4, 4, 0, 0, 0, 9)
    assert second[0] == 9


def test_a_source_has_no_items() -> None:
    source = replace(VALUE, draws=True)
    first, second = numbers(source, LAST, received=0, emitted=[5, 0], nones=[1, 1])
    assert first == (0, 0, 0, 0, 0, 5)
    assert second == (5, 4, 1, 0, 0, 4)


def test_what_keeps_items_filters_none() -> None:
    keeps = replace(LAST, filters=False)
    assert numbers(keeps, received=5, nones=[5]) == [(5, 5, 0, 0, 0, 0)]


def test_what_a_stage_sends_elsewhere_is_not_received_by_the_next() -> None:
    routed = replace(VALUE, is_routed=True)
    first, second = numbers(routed, LAST, received=5, usual=[2, 0])
    assert first[-1] == 5
    assert second[0] == 2


def test_what_was_cancelled_has_not_ended_well() -> None:
    assert numbers(LAST, received=5, cancelled=[2], failed=[1]) == [(5, 2, 0, 1, 2, 2)]
