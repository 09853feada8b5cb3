"""A channel is bounded in bytes as well, and one item always fits."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.errors import WouldBlock
from minigun_py.primitives.channel import Receiver, Sender, open_channel
from minigun_py.primitives.scale import SAMPLED, Scale

BOUND = 1000


def channel(capacity: int = 100) -> tuple[Sender[Any], Receiver[Any]]:
    return open_channel(capacity, capacity_bytes=BOUND, size_of=len)


def test_no_more_bytes_wait_than_fit() -> None:
    sender, _ = channel()
    assert sender.send_many_nowait([b"x" * 400] * 5) == 2
    with pytest.raises(WouldBlock):
        sender.send_nowait(b"x" * 400)
    sender.send_nowait(b"x" * 200)


def test_an_item_that_is_larger_than_the_bound_waits_alone() -> None:
    sender, receiver = channel()
    assert sender.send_many_nowait([b"x" * 3000] * 2) == 1
    assert sender.send_many_nowait([b"x"]) == 0
    receiver.receive()
    assert sender.send_many_nowait([b"x" * 10, b"x" * 3000]) == 1


def test_room_is_made_by_what_is_taken() -> None:
    sender, receiver = channel()
    sender.send_many_nowait([b"x" * 500] * 2)
    receiver.receive()
    assert sender.send_many_nowait([b"x" * 300] * 3) == 1


def test_small_items_are_bounded_by_their_number() -> None:
    sender, _ = channel(capacity=10)
    assert sender.send_many_nowait([b""] * 20) == 10


def test_few_of_the_small_items_are_looked_at() -> None:
    looked_at: list[Any] = []

    def size_of(item: Any) -> int:
        looked_at.append(item)
        return 1

    sender, receiver = open_channel(10, capacity_bytes=BOUND, size_of=size_of)
    for _ in range(160):
        sender.send(0)
        receiver.receive()
    assert len(looked_at) == 2 * 160 // SAMPLED


def test_large_items_behind_small_ones_are_seen_soon() -> None:
    sender, receiver = channel()
    for _ in range(50):
        sender.send(b"")
        receiver.receive()
    sent = 0
    while sender.send_many_nowait([b"x" * 400]):
        sent += 1
    assert sent <= SAMPLED + 2


def test_a_cut_leaves_no_weight_behind() -> None:
    scale = Scale(len, BOUND, 10)
    weights = scale.weigh([b"x" * 400] * 2)
    scale.put(2, weights, 0)
    assert scale.bytes == 800
    scale.take(2)
    assert scale.bytes == 0


@given(st.lists(st.one_of(st.integers(0, 1500), st.none()), max_size=80))
def test_it_never_holds_more_than_the_bound_unless_one_item_does(steps: list[int | None]) -> None:
    """A number sends an item of so many bytes, None takes one."""
    sender, receiver = channel()
    waiting: deque[int] = deque()
    sender.send_nowait(b"x" * 999)  # large enough for every other to be weighed
    receiver.receive()
    for step in steps:
        if step is None:
            if waiting:
                assert len(receiver.receive()) == waiting.popleft()
            continue
        fits = not sum(waiting) or sum(waiting) + step <= BOUND
        assert sender.send_many_nowait([b"x" * step]) == fits
        if fits:
            waiting.append(step)
    assert sum(waiting) <= BOUND or len([size for size in waiting if size]) == 1
