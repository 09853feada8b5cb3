"""A queue that moves chunks is a queue of items."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from minigun_py.primitives.chunk_queue import ChunkQueue
from minigun_py.primitives.packed import Packed, packed

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.just(1)),
        st.tuples(st.just("extend"), st.integers(0, 200)),
        st.tuples(st.just("take"), st.integers(1, 200)),
    )
)


@given(STEPS)
def test_what_goes_in_first_comes_out_first(steps: list[tuple[str, int]]) -> None:
    queue, model, number = ChunkQueue[int](), deque[int](), 0
    for step, count in steps:
        items = list(range(number, number + count))
        if step == "append":
            queue.append(number)
        elif step == "extend":
            queue.extend(items)
        if step == "take":
            wanted = [model.popleft() for _ in range(min(count, len(model)))]
            assert queue.take(count) == wanted
        else:
            model.extend(items)
            number += count
        assert queue.count == len(model)
    assert queue.take(queue.count + 1) == list(model)


PACKS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.just(1), st.just(1)),
        st.tuples(st.just("extend"), st.integers(0, 20), st.just(1)),
        st.tuples(st.just("pack"), st.integers(0, 20), st.integers(1, 4)),
        st.tuples(st.just("take"), st.integers(1, 20), st.just(1)),
    )
)


@given(PACKS)
def test_packed_or_not_what_goes_in_first_comes_out_first(
    steps: list[tuple[str, int, int]],
) -> None:
    queue, model, number = ChunkQueue[int](), deque[int](), 0
    for step, count, parts in steps:
        if step == "take":
            taken = queue.take(count)
            assert min(1, len(model)) <= len(taken) <= count
            assert [*taken] == [model.popleft() for _ in taken]
            continue
        items = list(range(number, number + count))
        if step == "append":
            queue.append(number)
        else:
            queue.extend(packed(items, parts) if step == "pack" else items)
        model.extend(items)
        number += count
        assert queue.count == len(model)
    while model:
        assert [*(taken := queue.take(7))] == [model.popleft() for _ in taken]
    assert queue.take(1) == []


def test_what_is_packed_is_taken_packed_as_far_as_whole_parts_go() -> None:
    queue = ChunkQueue[int]()
    queue.extend(packed([1, 2, 3, 4, 5, 6], 3))
    queue.extend(packed([7, 8], 1))
    queue.append(9)
    taken = [queue.take(most) for most in (5, 1, 8, 3, 3)]
    assert [[*some] for some in taken] == [[1, 2, 3, 4], [5], [6], [7, 8], [9]]
    assert [isinstance(some, Packed) for some in taken] == [True, False, False, True, False]


def test_it_keeps_nothing_of_what_has_gone() -> None:
    class Item:
        """Says when it is forgotten."""

        def __del__(self) -> None:
            gone.append(self)

    gone: list[Item] = []
    queue = ChunkQueue[Item]()
    queue.extend([Item(), Item(), Item()])
    del queue.take(1)[:]
    assert len(gone) == 1


def test_the_list_that_was_given_stays_the_givers() -> None:
    given_list = [1, 2, 3]
    queue = ChunkQueue[int]()
    queue.extend(given_list)
    queue.append(4)
    queue.take(2)
    assert given_list == [1, 2, 3]
    assert queue.take(9) == [3, 4]
