"""What each end of a channel promises, alone and while threads are blocked in it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from minigun_py.clock import SYSTEM_CLOCK, Clock, Deadline
from minigun_py.errors import (
    BrokenChannel,
    ChannelAborted,
    ChannelError,
    EndOfChannel,
    WouldBlock,
)
from minigun_py.primitives.channel import Receiver, Sender, open_channel
from minigun_py.primitives.room import Side
from minigun_py.testing.clock import VirtualClock

LIMIT = 10.0  # seconds that a wait may take before the test has failed

Ends = tuple[Sender[Any], Receiver[Any]]


class WatchedClock(VirtualClock):
    """Tells when other threads block: a channel reads its clock just before, with the lock held."""

    def __init__(self) -> None:
        super().__init__()
        self._main = threading.get_ident()
        self._reads = threading.Semaphore(0)

    def now(self) -> float:
        if threading.get_ident() != self._main:
            self._reads.release()
        return super().now()

    def wait_until_blocked(self, end: Sender[Any] | Receiver[Any], threads: int = 1) -> None:
        """Wait until that many threads are blocked, provided that none was before."""
        for _ in range(threads):
            assert self._reads.acquire(timeout=LIMIT), "no thread came to block"
        end.statistics()  # takes the lock, which they let go of only in their sleep


@pytest.fixture
def clock() -> WatchedClock:
    return WatchedClock()


class Background:
    """Runs each function in a thread of its own: daemon, so that a broken promise hangs nothing."""

    def submit(self, function: Callable[..., Any], *args: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(function(*args, **options))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return future


@pytest.fixture
def background() -> Background:
    return Background()


def open_ends(capacity: int, clock: Clock = SYSTEM_CLOCK) -> Ends:
    return open_channel(capacity, clock=clock)


def open_full(clock: Clock, capacity: int = 1) -> Ends:
    sender, receiver = open_ends(capacity, clock)
    sender.send_many(list(range(capacity)))
    return sender, receiver


def close(end: Sender[Any] | Receiver[Any]) -> None:
    end.close()


def abort(end: Sender[Any] | Receiver[Any]) -> None:
    end.abort("cut")


# -- one thread ------------------------------------------------------------------------------


def test_items_come_out_in_the_order_they_went_in(clock: WatchedClock) -> None:
    sender, receiver = open_ends(9, clock)
    sender.send(1)
    sender.send_many((2, 3))
    sender.send_nowait(4)
    assert receiver.receive() == 1
    assert receiver.receive_many(2) == [2, 3]
    assert receiver.receive_nowait() == 4


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_channel_has_room_for_an_item_at_least(capacity: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1 item, not {capacity}"):
        open_channel(capacity)


def test_a_full_channel_takes_no_more_without_waiting(clock: WatchedClock) -> None:
    sender, _ = open_full(clock, capacity=2)
    with pytest.raises(WouldBlock, match="full: 2 items wait"):
        sender.send_nowait("late")
    assert sender.send_many_nowait(["late"]) == 0


def test_as_many_are_admitted_as_there_is_room_for(clock: WatchedClock) -> None:
    sender, receiver = open_ends(3, clock)
    items = ["a", "b", "c", "d", "e"]
    assert sender.send_many_nowait(items, 1) == 3
    assert sender.send_many_nowait(items, 4) == 0
    assert receiver.receive_many(9) == ["b", "c", "d"]
    assert sender.send_many_nowait(items, 4) == 1
    assert sender.send_many_nowait(items, 5) == 0


def test_an_empty_channel_gives_nothing_without_waiting(clock: WatchedClock) -> None:
    _sender, receiver = open_ends(1, clock)
    with pytest.raises(WouldBlock, match="empty"):
        receiver.receive_nowait()
    with pytest.raises(WouldBlock, match="empty"):
        receiver.receive_many_nowait(5)


def test_a_chunk_is_no_longer_than_asked_for(clock: WatchedClock) -> None:
    _, receiver = open_full(clock, capacity=5)
    assert receiver.receive_many(2) == [0, 1]
    assert receiver.receive_many_nowait(2) == [2, 3]
    assert receiver.receive_many(2) == [4]


def test_asking_for_no_item_is_refused_before_any_wait(clock: WatchedClock) -> None:
    _sender, receiver = open_ends(1, clock)
    for ask in (receiver.receive_many, receiver.receive_many_nowait):
        with pytest.raises(ValueError, match="at least 1 item, not 0"):
            ask(0)


def test_sending_no_items_is_done_at_once(clock: WatchedClock) -> None:
    sender, _ = open_full(clock)
    sender.send_many([])


def test_a_receiver_is_iterated_until_the_end(clock: WatchedClock) -> None:
    sender, receiver = open_full(clock, capacity=3)
    sender.close()
    assert list(receiver) == [0, 1, 2]
    assert list(receiver) == []


def test_the_rest_is_received_after_the_last_sender_closed(clock: WatchedClock) -> None:
    sender, receiver = open_full(clock, capacity=2)
    sender.close()
    assert receiver.receive_many(9) == [0, 1]
    for ask in (receiver.receive, receiver.receive_nowait, lambda: receiver.receive_many(1)):
        with pytest.raises(EndOfChannel):
            ask()


def test_the_stream_ends_with_the_last_of_the_senders(clock: WatchedClock) -> None:
    sender, receiver = open_ends(1, clock)
    clone = sender.clone()
    sender.close()
    clone.send("still")
    clone.close()
    assert list(receiver) == ["still"]


def test_what_waits_is_dropped_with_the_last_of_the_receivers(clock: WatchedClock) -> None:
    sender, receiver = open_full(clock, capacity=3)
    clone = receiver.clone()
    receiver.close()
    assert clone.receive() == 0
    clone.close()
    for ask in (sender.send, sender.send_nowait, lambda x: sender.send_many([x])):
        with pytest.raises(BrokenChannel):
            ask("in vain")
    books = sender.statistics()
    assert (books.sent, books.received, books.discarded, books.waiting) == (3, 1, 2, 0)


def test_a_with_statement_closes_its_end(clock: WatchedClock) -> None:
    sender, receiver = open_ends(1, clock)
    with sender, receiver:
        sender.send(1)
    books = sender.statistics()
    assert (books.senders, books.receivers) == (0, 0)


def test_an_end_that_closes_twice_counts_once(clock: WatchedClock) -> None:
    sender, receiver = open_ends(1, clock)
    clone = sender.clone()
    sender.close()
    sender.close()
    clone.send(1)
    assert receiver.receive() == 1


def test_a_closed_end_refuses_every_use(clock: WatchedClock) -> None:
    sender, receiver = open_full(clock, capacity=2)
    spare_sender, spare_receiver = sender.clone(), receiver.clone()
    sender.close()
    receiver.close()
    uses: list[Callable[[], object]] = [
        lambda: sender.send(1),
        lambda: sender.send_many([1]),
        lambda: sender.send_nowait(1),
        lambda: sender.send_many_nowait([1]),
        sender.clone,
        lambda: sender.on_ready(print),
        receiver.receive,
        receiver.receive_nowait,
        lambda: receiver.receive_many(1),
        lambda: next(receiver),
        receiver.clone,
        lambda: receiver.on_ready(print),
    ]
    for use in uses:
        with pytest.raises(ChannelError, match="this end of the channel is closed"):
            use()
    receiver.on_ready(None)
    assert (receiver.waiting, receiver.statistics().waiting) == (2, 2)
    spare_sender.close()
    assert list(spare_receiver) == [0, 1]


@pytest.mark.parametrize("who", [0, 1], ids=["sender", "receiver"])
def test_after_an_abort_every_use_of_either_end_raises_the_first_reason(
    clock: WatchedClock, who: int
) -> None:
    sender, receiver = ends = open_full(clock, capacity=2)
    closed = sender.clone()
    closed.close()
    ends[who].abort("first")
    ends[1 - who].abort("second")
    uses: list[Callable[[], object]] = [
        lambda: sender.send(1),
        lambda: sender.send_many_nowait([1]),
        receiver.receive,
        receiver.receive_nowait,
        receiver.clone,
        lambda: closed.send(1),
    ]
    for use in uses:
        with pytest.raises(ChannelAborted) as raised:
            use()
        assert raised.value.reason == "first"


def test_an_abort_drops_what_waits_and_counts_it(clock: WatchedClock) -> None:
    sender, receiver = open_full(clock, capacity=3)
    receiver.receive()
    sender.close()
    sender.abort()
    books = receiver.statistics()
    assert (books.sent, books.received, books.discarded, books.waiting) == (3, 1, 2, 0)


@pytest.mark.parametrize("end", [close, abort])
def test_a_dropped_item_may_use_the_channel_in_its_destructor(
    clock: WatchedClock, end: Callable[[Any], None]
) -> None:
    sender, receiver = open_ends(1, clock)
    seen = []

    class Item:
        def __del__(self) -> None:
            seen.append(sender.statistics().discarded)

    sender.send(Item())
    end(receiver)
    assert seen == [1]


def test_the_statistics_are_the_books(clock: WatchedClock) -> None:
    sender, receiver = open_ends(5, clock)
    clone = receiver.clone()
    sender.send_many([1, 2, 3])
    clone.receive_many(2)
    sender.send(4)
    books = sender.statistics()
    assert books == receiver.statistics()
    assert (books.capacity, books.waiting, books.peak) == (5, 2, 3)
    assert (books.senders, books.receivers) == (1, 2)
    assert (books.sent, books.received, books.discarded) == (4, 2, 0)
    assert (books.blocked_seconds, books.starved_seconds) == (0, 0)


def test_the_clock_is_read_only_to_block() -> None:
    class NoClock:
        def now(self) -> float:
            raise AssertionError("the clock was read")

    sender, receiver = open_ends(2, NoClock())
    sender.send(1)
    sender.send_many([2])
    assert receiver.receive() == 1
    assert receiver.receive_many(5, deadline=Deadline(0, NoClock())) == [2]
    sender.close()
    assert sender.statistics().blocked_seconds == 0


# -- deadlines -------------------------------------------------------------------------------


def test_a_deadline_that_has_passed_waits_for_nothing(clock: WatchedClock) -> None:
    sender, receiver = open_ends(1, clock)
    passed = Deadline.after(0, clock)
    with pytest.raises(WouldBlock, match="deadline"):
        receiver.receive_many(1, deadline=passed)
    sender.send("here already")
    assert receiver.receive_many(1, deadline=passed) == ["here already"]


def test_a_wait_ends_at_its_deadline() -> None:
    _sender, receiver = open_ends(1)
    with pytest.raises(WouldBlock, match="deadline"):
        receiver.receive_many(1, deadline=Deadline.after(0.001))
    assert receiver.statistics().starved_seconds > 0


@pytest.mark.parametrize("seconds", [None, LIMIT, float("inf")])
def test_an_item_that_comes_before_the_deadline_is_received(
    clock: WatchedClock, background: Background, seconds: float | None
) -> None:
    sender, receiver = open_ends(1, clock)
    deadline = Deadline.after(seconds)
    received = background.submit(receiver.receive_many, 5, deadline=deadline)
    clock.wait_until_blocked(receiver)
    sender.send("in time")
    assert received.result(LIMIT) == ["in time"]


# -- blocked threads -------------------------------------------------------------------------


def test_a_blocked_sender_goes_on_when_there_is_room(
    clock: WatchedClock, background: Background
) -> None:
    sender, receiver = open_full(clock)
    sent = background.submit(sender.send, "next")
    clock.wait_until_blocked(sender)
    assert receiver.receive() == 0
    sent.result(LIMIT)
    assert receiver.receive() == "next"


def test_a_blocked_receiver_goes_on_when_an_item_comes(
    clock: WatchedClock, background: Background
) -> None:
    sender, receiver = open_ends(1, clock)
    received = background.submit(receiver.receive)
    clock.wait_until_blocked(receiver)
    sender.send("item")
    assert received.result(LIMIT) == "item"


@pytest.mark.parametrize(("end", "error"), [(close, BrokenChannel), (abort, ChannelAborted)])
@pytest.mark.parametrize("many", [False, True], ids=["send", "send_many"])
def test_a_failing_consumer_of_a_bounded_queue_wakes_its_blocked_producer(
    clock: WatchedClock,
    background: Background,
    end: Callable[[Any], None],
    error: type[BaseException],
    many: bool,
) -> None:
    sender, receiver = open_full(clock, capacity=1)
    producer = (
        background.submit(sender.send_many, [1, 2]) if many else background.submit(sender.send, 1)
    )
    clock.wait_until_blocked(sender)
    end(receiver)
    with pytest.raises(error):
        producer.result(LIMIT)
    books = sender.statistics()
    assert (books.sent, books.discarded, books.waiting) == (1, 1, 0)


@pytest.mark.parametrize(("end", "error"), [(close, EndOfChannel), (abort, ChannelAborted)])
def test_a_blocked_receiver_is_woken_by_the_end_of_the_senders(
    clock: WatchedClock,
    background: Background,
    end: Callable[[Any], None],
    error: type[BaseException],
) -> None:
    sender, receiver = open_ends(1, clock)
    consumers = [background.submit(receiver.clone().receive) for _ in range(3)]
    clock.wait_until_blocked(receiver, threads=3)
    end(sender)
    for consumer in consumers:
        with pytest.raises(error):
            consumer.result(LIMIT)


def test_a_thread_blocked_on_an_end_is_woken_when_that_end_is_closed(
    clock: WatchedClock, background: Background
) -> None:
    sender, receiver = open_full(clock)
    spare_sender, spare_receiver = sender.clone(), receiver.clone()
    producer = background.submit(sender.send, "never")
    clock.wait_until_blocked(sender)
    sender.close()
    with pytest.raises(ChannelError, match="this end"):
        producer.result(LIMIT)
    spare_sender.close()
    assert list(spare_receiver) == [0]


def test_many_items_fill_the_room_as_it_appears(
    clock: WatchedClock, background: Background
) -> None:
    sender, receiver = open_ends(2, clock)
    sent = background.submit(sender.send_many, range(7))
    received: list[int] = []
    while len(received) < 7:
        received += receiver.receive_many(3, deadline=Deadline.after(LIMIT))
    sent.result(LIMIT)
    assert received == list(range(7))
    assert sender.statistics().peak <= 2


def test_taking_many_items_wakes_as_many_senders(
    clock: WatchedClock, background: Background
) -> None:
    sender, receiver = open_full(clock, capacity=3)
    producers = [background.submit(sender.send, item) for item in "abc"]
    clock.wait_until_blocked(sender, threads=3)
    assert receiver.receive_many(3) == [0, 1, 2]
    for producer in producers:
        producer.result(LIMIT)
    assert sorted(receiver.receive_many(3)) == ["a", "b", "c"]


def test_sending_many_items_wakes_as_many_receivers(
    clock: WatchedClock, background: Background
) -> None:
    sender, receiver = open_ends(3, clock)
    consumers = [background.submit(receiver.receive) for _ in range(3)]
    clock.wait_until_blocked(receiver, threads=3)
    sender.send_many([1, 2, 3])
    assert sorted(consumer.result(LIMIT) for consumer in consumers) == [1, 2, 3]


def test_the_time_of_a_wait_counts_while_it_lasts(
    clock: WatchedClock, background: Background
) -> None:
    sender, receiver = open_full(clock)
    producer = background.submit(sender.send, 1)
    clock.wait_until_blocked(sender)
    clock.advance(2)
    assert sender.statistics().blocked_seconds == 2
    receiver.receive()
    producer.result(LIMIT)
    clock.advance(5)
    books = sender.statistics()
    assert (books.blocked_seconds, books.starved_seconds) == (2, 0)


def test_the_waits_of_several_threads_are_added_up(
    clock: WatchedClock, background: Background
) -> None:
    sender, receiver = open_ends(2, clock)
    consumers = [background.submit(receiver.receive) for _ in range(2)]
    clock.wait_until_blocked(receiver, threads=2)
    clock.advance(3)
    sender.send_many([1, 2])
    for consumer in consumers:
        consumer.result(LIMIT)
    assert receiver.statistics().starved_seconds == 6


def test_an_interrupted_wait_leaves_the_channel_as_it_was(
    clock: WatchedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No real signal: CPython may sleep through one that comes just as a thread falls asleep.
    sender, receiver = open_ends(1, clock)

    def interrupted(*_: object) -> None:
        clock.advance(2)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Side, "sleep", interrupted)
        with pytest.raises(KeyboardInterrupt):
            receiver.receive()
    clock.advance(5)
    assert receiver.statistics().starved_seconds == 2
    sender.send("after")
    assert receiver.receive() == "after"


def test_an_interrupted_wait_passes_its_notification_on(
    clock: WatchedClock, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, receiver = open_ends(1, clock)
    consumer = background.submit(receiver.clone().receive)
    clock.wait_until_blocked(receiver)

    def interrupted(*_: object) -> None:
        sender._room.items.append("item")  # notified of it is the thread that is interrupted
        sender._room.sent += 1
        raise KeyboardInterrupt

    monkeypatch.setattr(Side, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        receiver.receive()
    assert consumer.result(LIMIT) == "item"


def test_an_interrupted_wait_tells_others_and_not_itself(
    clock: WatchedClock, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, receiver = open_ends(1, clock)
    consumers = []

    def interrupted(*_: object) -> None:
        monkeypatch.undo()
        consumers.append(background.submit(receiver.clone().receive))  # behind the other
        clock.wait_until_blocked(receiver)
        sender._room.items.append("item")
        sender._room.sent += 1
        raise KeyboardInterrupt

    monkeypatch.setattr(Side, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        receiver.receive()
    assert consumers[0].result(LIMIT) == "item"


def test_who_was_told_and_not_woken_is_woken_by_a_cut(
    clock: WatchedClock, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, receiver = open_ends(1, clock)
    consumer = background.submit(receiver.receive)
    clock.wait_until_blocked(receiver)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("minigun_py.primitives.channel.wake", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sender.send("item")
    sender.abort("interrupted")
    with pytest.raises(ChannelAborted):
        consumer.result(LIMIT)


# -- wake callbacks --------------------------------------------------------------------------


def count_calls(end: Sender[Any] | Receiver[Any]) -> list[str]:
    """Register a callback that also uses the channel, as a lock held would not let it."""
    calls: list[str] = []

    def wake() -> None:
        end.statistics()
        calls.append("wake")

    end.on_ready(wake)
    return calls


def test_a_receiver_is_woken_by_each_arrival_the_end_and_an_abort(clock: WatchedClock) -> None:
    sender, receiver = open_ends(9, clock)
    calls = count_calls(receiver)
    steps: list[Callable[[], object]] = [
        lambda: sender.send(1),
        lambda: sender.send_nowait(2),
        lambda: sender.send_many([3]),
        lambda: sender.send_many_nowait([4]),
        sender.close,
        sender.abort,
    ]
    for count, step in enumerate(steps):
        assert len(calls) == count
        step()
    assert len(calls) == len(steps)


def test_a_sender_is_woken_by_room_by_the_last_receiver_and_by_an_abort(
    clock: WatchedClock,
) -> None:
    sender, receiver = open_full(clock, capacity=4)
    calls = count_calls(sender)
    steps: list[Callable[[], object]] = [
        receiver.receive,
        receiver.receive_nowait,
        lambda: receiver.receive_many(1),
        lambda: receiver.receive_many_nowait(1),
        receiver.close,
        receiver.abort,
    ]
    for count, step in enumerate(steps):
        assert len(calls) == count
        step()
    assert len(calls) == len(steps)


def test_an_end_that_is_ready_is_woken_as_it_registers(clock: WatchedClock) -> None:
    sender, receiver = open_ends(1, clock)
    assert (count_calls(sender), count_calls(receiver)) == (["wake"], [])
    sender.send(1)
    assert (count_calls(sender), count_calls(receiver)) == ([], ["wake"])
    receiver.receive()
    sender.close()
    assert count_calls(receiver) == ["wake"]


def test_every_clone_has_a_callback_of_its_own(clock: WatchedClock) -> None:
    sender, receiver = open_ends(1, clock)
    calls = [count_calls(receiver), count_calls(receiver.clone())]
    sender.send(1)
    assert calls == [["wake"], ["wake"]]


@pytest.mark.parametrize("stop", ["remove", "replace", "close"])
def test_a_callback_lasts_until_it_is_removed_replaced_or_its_end_closed(
    clock: WatchedClock, stop: str
) -> None:
    sender, receiver = open_ends(1, clock)
    spare = receiver.clone()
    calls = count_calls(receiver)
    match stop:
        case "remove":
            receiver.on_ready(None)
        case "replace":
            receiver.on_ready(lambda: None)
        case "close":
            receiver.close()
    sender.send(1)
    assert (calls, spare.waiting) == ([], 1)


def test_a_loop_that_sleeps_between_wakes_misses_nothing(background: Background) -> None:
    sender, receiver = open_ends(3)
    woken = threading.Event()
    receiver.on_ready(woken.set)

    def send() -> None:
        with sender:
            for item in range(2_000):
                sender.send(item)

    def drain() -> list[int]:
        received: list[int] = []
        while True:
            try:
                received += receiver.receive_many_nowait(2)
            except WouldBlock:
                assert woken.wait(LIMIT)
                woken.clear()
            except EndOfChannel:
                return received

    sending = background.submit(send)
    assert drain() == list(range(2_000))
    sending.result(LIMIT)


# -- many threads ----------------------------------------------------------------------------


@pytest.mark.parametrize("capacity", [1, 7, 1000])
@pytest.mark.parametrize("chunk", [1, 10])
def test_each_of_20_000_items_from_4_senders_reaches_one_of_4_receivers_once(
    background: Background, capacity: int, chunk: int
) -> None:
    sender, receiver = open_ends(capacity)

    def send(name: int, end: Sender[tuple[int, int]]) -> None:
        with end:
            for start in range(0, 5_000, chunk):
                end.send_many([(name, number) for number in range(start, start + chunk)])

    def receive(end: Receiver[tuple[int, int]]) -> list[tuple[int, int]]:
        received = []
        with end:
            while True:
                try:
                    received += end.receive_many(chunk, deadline=Deadline.after(LIMIT))
                except EndOfChannel:
                    return received

    senders = [background.submit(send, name, sender.clone()) for name in range(4)]
    receivers = [background.submit(receive, receiver.clone()) for _ in range(4)]
    sender.close()
    receiver.close()
    chunks = results(receivers)
    results(senders)
    assert Counter(item for received in chunks for item in received) == Counter(
        (name, number) for name in range(4) for number in range(5_000)
    )
    for received in chunks:
        for name in range(4):
            numbers = [number for sender_name, number in received if sender_name == name]
            assert numbers == sorted(numbers)
    books = sender.statistics()
    assert (books.sent, books.received, books.discarded, books.waiting) == (20_000, 20_000, 0, 0)
    assert books.peak <= capacity


def results(futures: list[Future[Any]]) -> list[Any]:
    return [future.result(4 * LIMIT) for future in futures]
