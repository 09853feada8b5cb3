"""A queue that moves chunks is a queue of items."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from minigun_py.primitives.chunk_queue import ChunkQueue

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
