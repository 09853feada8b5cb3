"""Events: frozen records, sent to each observer one at a time, and never in the way of a run."""

from __future__ import annotations

import dataclasses
import threading

import pytest

from minigun_py.events import Event, Observers, RunEnded, RunStarted, WorkerReplaced


def test_a_record_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        RunEnded(1.0, "p", ok=True).ok = False  # type: ignore[misc]


def test_a_record_says_what_it_is_of() -> None:
    assert repr(RunStarted(2.0, "p", ("a", "b"))) == (
        "RunStarted(at=2.0, pipeline='p', stages=('a', 'b'))"
    )


def test_without_observers_nobody_listens() -> None:
    assert not Observers()
    assert Observers([print])


def test_every_observer_gets_every_event_in_order() -> None:
    first: list[Event] = []
    second: list[Event] = []
    events = [WorkerReplaced(float(n), "stage", -9) for n in range(3)]
    observers = Observers([first.append, second.append])
    for event in events:
        observers.send(event)
    assert first == second == events


def test_an_observer_that_raises_is_dropped_and_the_others_go_on() -> None:
    seen: list[Event] = []

    def broken(_: Event) -> None:
        raise ValueError("no")

    observers = Observers([broken, seen.append])
    with pytest.warns(RuntimeWarning, match=r"broken.*ValueError\('no'\)"):
        observers.send(Event(0.0))
    observers.send(Event(1.0))
    assert [event.at for event in seen] == [0.0, 1.0]


def test_nobody_listens_any_more_when_the_last_observer_was_dropped() -> None:
    observers = Observers([lambda _: 1 / 0])
    with pytest.warns(RuntimeWarning):
        observers.send(Event(0.0))
    assert not observers


def test_an_observer_sees_one_event_at_a_time() -> None:
    inside = threading.Lock()
    overlaps: list[bool] = []

    def observer(_: Event) -> None:
        free = inside.acquire(blocking=False)
        overlaps.append(not free)
        if free:
            inside.release()

    observers = Observers([observer])
    start = threading.Barrier(4)

    def send() -> None:
        start.wait(10)
        for n in range(200):
            observers.send(Event(float(n)))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert overlaps == [False] * 800
