"""Results come out in the order of their places, and only so many wait."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from minigun_py.engine.reorder import Reorder


def test_a_result_whose_turn_it_is_goes_at_once() -> None:
    reorder = Reorder[str](4)
    assert list(reorder.add(0, "a")) == ["a"]
    assert list(reorder.add(1, "b")) == ["b"]


def test_a_result_that_is_early_waits_for_those_before_it() -> None:
    reorder = Reorder[str](4)
    assert list(reorder.add(2, "c")) == []
    assert list(reorder.add(1, "b")) == []
    assert list(reorder.add(0, "a")) == ["a", "b", "c"]


def test_none_and_empty_results_keep_their_turn() -> None:
    reorder = Reorder[object](4)
    assert list(reorder.add(1, None)) == []
    assert list(reorder.add(0, [])) == [[], None]


def test_so_many_places_may_be_open_at_once() -> None:
    reorder = Reorder[str](2)
    assert [reorder.admits(place) for place in range(4)] == [True, True, False, False]


def test_a_release_admits_the_next_place() -> None:
    reorder = Reorder[str](2)
    list(reorder.add(1, "b"))
    assert not reorder.admits(2)
    list(reorder.add(0, "a"))
    assert reorder.admits(3)
    assert not reorder.admits(4)


@given(st.integers(1, 6), st.data())
def test_whatever_the_order_of_ends_the_order_of_results_is_kept(
    bound: int, data: st.DataObject
) -> None:
    reorder, begun, open_places, released = Reorder[int](bound), 0, [], []
    for _ in range(data.draw(st.integers(0, 40))):
        if open_places and (not reorder.admits(begun) or data.draw(st.booleans())):
            place = open_places.pop(data.draw(st.integers(0, len(open_places) - 1)))
            released += reorder.add(place, place)
        else:
            assert reorder.admits(begun)  # with nothing open there is always room for the next
            open_places.append(begun)
            begun += 1
        assert begun - len(released) <= bound
    for place in open_places:
        released += reorder.add(place, place)
    assert released == list(range(begun))
