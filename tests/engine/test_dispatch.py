"""A dispatch deals every item: to all its targets, or to each in turn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from minigun_py.engine.dispatch import Broadcast, Dispatch, LeastLoaded, RoundRobin, dispatch_for

chunks = st.lists(st.lists(st.integers(), max_size=9), max_size=6)


def dealt(dispatch: Dispatch, chunks: list[list[int]], targets: int) -> list[list[int]]:
    """What each target got in the end."""
    got: list[list[int]] = [[] for _ in range(targets)]
    for chunk in chunks:
        for target, share in dispatch.deal(chunk):
            got[target] += share
    return got


@given(chunks, st.integers(1, 5))
def test_a_broadcast_gives_all_items_to_all(chunks: list[list[int]], targets: int) -> None:
    whole = [item for chunk in chunks for item in chunk]
    assert dealt(Broadcast(targets), chunks, targets) == [whole] * targets


def test_a_broadcast_gives_the_same_object_to_all() -> None:
    item = object()
    (_, (one,)), (_, (other,)) = Broadcast(2).deal([item])
    assert one is other is item


@given(chunks, st.integers(1, 5))
def test_turns_do_not_depend_on_chunks(chunks: list[list[int]], targets: int) -> None:
    whole = [item for chunk in chunks for item in chunk]
    expected = [whole[turn::targets] for turn in range(targets)]
    assert dealt(RoundRobin(targets), chunks, targets) == expected


@given(chunks, st.integers(1, 5))
def test_no_target_is_given_an_empty_share(chunks: list[list[int]], targets: int) -> None:
    dispatch = RoundRobin(targets)
    assert all(share for chunk in chunks for _, share in dispatch.deal(chunk))


def test_one_item_after_the_other_goes_round() -> None:
    dispatch = RoundRobin(3)
    assert [dispatch.deal([n])[0][0] for n in range(5)] == [0, 1, 2, 0, 1]


def constant(*loads: int) -> LeastLoaded:
    return LeastLoaded([lambda load=load: load for load in loads])  # type: ignore[misc]


def test_an_item_goes_to_the_target_with_the_least_to_do() -> None:
    assert constant(3, 1, 2).deal(["a"]) == [(1, ["a"])]


def test_an_item_that_was_dealt_is_a_load_for_those_after_it() -> None:
    assert constant(3, 1, 2).deal(list("abc")) == [(1, ["a", "c"]), (2, ["b"])]


def test_loads_are_asked_for_anew_with_each_chunk() -> None:
    loads = [0, 5]
    dispatch = LeastLoaded([lambda: loads[0], lambda: loads[1]])
    assert dispatch.deal(["a"]) == [(0, ["a"])]
    loads[0] = 9
    assert dispatch.deal(["b"]) == [(1, ["b"])]


def test_targets_with_as_much_to_do_take_turns() -> None:
    dispatch = constant(0, 0, 0)
    assert [dispatch.deal([n])[0][0] for n in range(5)] == [0, 1, 2, 0, 1]


@given(chunks, st.lists(st.integers(0, 9), min_size=1, max_size=5))
def test_the_least_loaded_get_every_item_once(chunks: list[list[int]], loads: list[int]) -> None:
    dispatch = constant(*loads)
    for chunk in chunks:
        shares = dispatch.deal(chunk)
        assert sorted(item for _, share in shares for item in share) == sorted(chunk)
        assert all(share for _, share in shares)


def test_a_dispatch_is_found_by_its_routing() -> None:
    assert isinstance(dispatch_for("least_loaded", 2), LeastLoaded)
    assert isinstance(dispatch_for("round_robin", 2), RoundRobin)
    assert isinstance(dispatch_for("broadcast", 2), Broadcast)
