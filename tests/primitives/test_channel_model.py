"""Whatever is done to a channel, in whatever order, it behaves like a list with books.

Hypothesis opens, clones, closes, aborts, sends and receives as it likes, also on closed ends,
and compares each answer with a model that has no lock, no thread and no wait. Blocking calls
are made where the model says that they have no need to block.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from minigun_py.errors import (
    BrokenChannel,
    ChannelAborted,
    ChannelError,
    EndOfChannel,
    WouldBlock,
)
from minigun_py.primitives.channel import open_channel

Error = type[BaseException]
PICKS = st.integers(0, 11)  # which end: modulo how many there are


class Model:
    """What a channel should be, kept as plainly as possible."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.items: list[int] = []
        self.senders = self.receivers = 1
        self.reasons: list[str] = []
        self.sent = self.received = self.discarded = self.peak = 0

    def sender_error(self, closed: bool) -> Error | None:
        """What keeps an end from sending now."""
        full = len(self.items) == self.capacity
        return self._end_error(closed) or (
            BrokenChannel if not self.receivers else WouldBlock if full else None
        )

    def receiver_error(self, closed: bool) -> Error | None:
        """What keeps an end from receiving now."""
        if error := self._end_error(closed):
            return error
        if self.items:
            return None
        return WouldBlock if self.senders else EndOfChannel

    def clone_error(self, closed: bool) -> Error | None:
        """What keeps an end from being cloned."""
        return self._end_error(closed)

    def send(self, items: list[int]) -> int:
        """Admit what there is room for."""
        admitted = items[: self.capacity - len(self.items)]
        self.items += admitted
        self.sent += len(admitted)
        self.peak = max(self.peak, len(self.items))
        return len(admitted)

    def receive(self, limit: int) -> list[int]:
        """Take up to `limit` items."""
        taken, self.items = self.items[:limit], self.items[limit:]
        self.received += len(taken)
        return taken

    def discard(self) -> None:
        """Drop all that waits."""
        self.discarded += len(self.items)
        self.items = []

    def _end_error(self, closed: bool) -> Error | None:
        return ChannelAborted if self.reasons else ChannelError if closed else None


class Witness:
    """An end under test, whether it was closed, and how often its callback was called."""

    def __init__(self, end: Any) -> None:
        self.end = end
        self.closed = False
        self.calls = 0
        self.calls_seen = 0
        self.was_ready = False
        end.on_ready(self.wake)

    def wake(self) -> None:
        """What the channel calls."""
        self.calls += 1


class ChannelMachine(RuleBasedStateMachine):
    """Does the same to a channel and to its model."""

    @initialize(capacity=st.integers(1, 4))
    def open(self, capacity: int) -> None:
        self.model = Model(capacity)
        self.numbers = count()
        sender, receiver = open_channel(capacity)  # type: ignore[var-annotated]
        self.senders, self.receivers = [Witness(sender)], [Witness(receiver)]

    @rule(pick=PICKS, block=st.booleans())
    def send(self, pick: int, block: bool) -> None:
        witness = self.sender(pick)
        error = self.model.sender_error(witness.closed)
        item = next(self.numbers)
        send = witness.end.send if block and error is not WouldBlock else witness.end.send_nowait
        if answer(error, lambda: send(item)):
            self.model.send([item])

    @rule(pick=PICKS, length=st.integers(0, 6), start=st.integers(0, 2))
    def send_many_nowait(self, pick: int, length: int, start: int) -> None:
        witness = self.sender(pick)
        error = self.model.sender_error(witness.closed)
        items = [next(self.numbers) for _ in range(length)]
        error = None if error is WouldBlock else error  # it answers 0 to that
        admitted = answer(error, lambda: witness.end.send_many_nowait(items, start))
        if admitted:
            assert admitted == [self.model.send(items[start:])]

    @rule(pick=PICKS, length=st.integers(1, 4))
    def send_many(self, pick: int, length: int) -> None:
        witness = self.sender(pick)
        error = self.model.sender_error(witness.closed)
        room = self.model.capacity - len(self.model.items)
        items = [next(self.numbers) for _ in range(length if error else min(length, room))]
        if error is not WouldBlock and answer(error, lambda: witness.end.send_many(items)):
            self.model.send(items)

    @rule(pick=PICKS, block=st.booleans())
    def receive(self, pick: int, block: bool) -> None:
        witness = self.receiver(pick)
        error = self.model.receiver_error(witness.closed)
        block = block and error is not WouldBlock
        received = answer(error, witness.end.receive if block else witness.end.receive_nowait)
        if received:
            assert received == self.model.receive(1)

    @rule(pick=PICKS, limit=st.integers(1, 6), block=st.booleans())
    def receive_many(self, pick: int, limit: int, block: bool) -> None:
        witness = self.receiver(pick)
        error = self.model.receiver_error(witness.closed)
        block = block and error is not WouldBlock
        receive = witness.end.receive_many if block else witness.end.receive_many_nowait
        received = answer(error, lambda: receive(limit))
        if received:
            assert received == [self.model.receive(limit)]

    @precondition(lambda self: len(self.senders) < 5)
    @rule(pick=PICKS)
    def clone_sender(self, pick: int) -> None:
        witness = self.sender(pick)
        clone = answer(self.model.clone_error(witness.closed), witness.end.clone)
        if clone:
            self.model.senders += 1
            self.senders.append(Witness(*clone))

    @precondition(lambda self: len(self.receivers) < 5)
    @rule(pick=PICKS)
    def clone_receiver(self, pick: int) -> None:
        witness = self.receiver(pick)
        clone = answer(self.model.clone_error(witness.closed), witness.end.clone)
        if clone:
            self.model.receivers += 1
            self.receivers.append(Witness(*clone))

    @rule(pick=PICKS)
    def close_sender(self, pick: int) -> None:
        witness = self.sender(pick)
        witness.end.close()
        self.model.senders -= not witness.closed
        witness.closed = True

    @rule(pick=PICKS)
    def close_receiver(self, pick: int) -> None:
        witness = self.receiver(pick)
        witness.end.close()
        self.model.receivers -= not witness.closed
        witness.closed = True
        if not self.model.receivers:
            self.model.discard()

    @precondition(lambda self: self.model.sent > 10)  # or hardly anything else would happen
    @rule(pick=PICKS, by_sender=st.booleans(), reason=st.sampled_from("xyz"))
    def abort(self, pick: int, by_sender: bool, reason: str) -> None:
        witness = self.sender(pick) if by_sender else self.receiver(pick)
        witness.end.abort(reason)
        self.model.reasons.append(reason)
        self.model.discard()

    @invariant()
    def the_books_agree(self) -> None:
        model, books = self.model, self.senders[0].end.statistics()
        assert books == self.receivers[0].end.statistics()
        assert books.sent == books.received + books.discarded + books.waiting
        assert books.waiting == len(model.items) == self.receivers[0].end.waiting
        assert (books.sent, books.received) == (model.sent, model.received)
        assert (books.discarded, books.peak) == (model.discarded, model.peak)
        assert (books.senders, books.receivers) == (model.senders, model.receivers)

    @invariant()
    def the_first_reason_is_told(self) -> None:
        if self.model.reasons:
            with pytest.raises(ChannelAborted) as raised:
                self.receivers[0].end.receive()
            assert raised.value.reason == self.model.reasons[0]

    @invariant()
    def whoever_became_ready_was_woken(self) -> None:
        sides = (self.senders, self.model.sender_error), (self.receivers, self.model.receiver_error)
        for witnesses, error in sides:
            for witness in witnesses:
                ready = error(witness.closed) is not WouldBlock
                if ready and not witness.was_ready and not witness.closed:
                    assert witness.calls > witness.calls_seen
                witness.was_ready, witness.calls_seen = ready, witness.calls

    def sender(self, pick: int) -> Witness:
        return self.senders[pick % len(self.senders)]

    def receiver(self, pick: int) -> Witness:
        return self.receivers[pick % len(self.receivers)]


def answer(error: Error | None, call: Callable[[], Any]) -> list[Any]:
    """The one answer of a call that should succeed; none if it should raise, and did, `error`."""
    if error is None:
        return [call()]
    with pytest.raises(error) as raised:
        call()
    assert type(raised.value) is error
    return []


TestChannelBehavesLikeItsModel = ChannelMachine.TestCase
