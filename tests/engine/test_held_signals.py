"""What a handler raises comes behind what is held, and is never lost."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from minigun_py.engine import held_signals
from minigun_py.engine.held_signals import HeldSignals

HELD = (signal.SIGUSR1, signal.SIGUSR2)


class Raised(BaseException):
    """What the handlers here raise."""


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    earlier = [signal.signal(number, raise_it) for number in HELD]
    yield
    for number, handler in zip(HELD, earlier, strict=True):
        signal.signal(number, handler)


def raise_it(number: int, frame: FrameType | None) -> None:
    raise Raised(number)


def send(number: int = signal.SIGUSR1) -> None:
    os.kill(os.getpid(), number)


def test_a_handler_is_called_when_it_is_left() -> None:
    steps: list[str] = []
    held = HeldSignals(lambda: steps.append("ended the wait"))
    with pytest.raises(Raised, match=str(int(signal.SIGUSR1))), held:
        send()
        steps.append("went on")
    assert steps == ["ended the wait", "went on"]


def test_handlers_are_as_they_were_outside_of_it() -> None:
    held = HeldSignals(lambda: None)
    for _ in range(3):
        with held:
            assert signal.getsignal(signal.SIGUSR1) is not raise_it
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        assert [signal.getsignal(number) for number in HELD] == [raise_it, raise_it]
        with pytest.raises(Raised):
            send()


def test_a_handler_that_the_program_sets_in_between_is_the_one_that_is_called() -> None:
    called: list[int] = []
    held = HeldSignals(lambda: None)
    with held:
        pass
    signal.signal(signal.SIGUSR1, lambda number, _: called.append(number))
    with held:
        send()
        assert called == []
    assert called == [signal.SIGUSR1]


def test_a_second_signal_is_let_through_since_nothing_came_of_the_first() -> None:
    held = HeldSignals(lambda: None)
    steps: list[str] = []
    with pytest.raises(Raised), held:
        send(HELD[0])
        try:
            send(HELD[1])
        except Raised:
            steps.append("let through")
    assert steps == ["let through"]
    assert [signal.getsignal(number) for number in HELD] == [raise_it, raise_it]


@pytest.mark.parametrize("moment", range(len(HELD) * 2))
def test_a_handler_that_raises_as_it_is_entered_or_left_leaves_all_as_they_were(
    moment: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_signals, "_ALL", HELD)
    held = HeldSignals(lambda: None)
    replace, steps = held_signals.replace, iter(range(100))

    def replace_and_be_hit(number: int, handler: object) -> object:
        if next(steps) == moment:  # by a signal that nobody holds, yet or any more
            raise Raised("from another handler")
        return replace(number, handler)

    monkeypatch.setattr(held_signals, "replace", replace_and_be_hit)
    entered = []
    with pytest.raises(Raised), held:
        entered.append(True)
    monkeypatch.undo()
    assert entered == [True] * (moment >= len(HELD))
    assert [signal.getsignal(number) for number in HELD] == [raise_it, raise_it]


def test_a_handler_that_the_program_sets_later_is_held_too() -> None:
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    held = HeldSignals(lambda: None)
    with held:
        pass
    signal.signal(signal.SIGUSR1, raise_it)
    went_on = False
    with pytest.raises(Raised), held:
        send()
        went_on = True
    assert went_on


def test_nothing_that_came_is_lost_though_a_handler_raises() -> None:
    called: list[int] = []
    signal.signal(signal.SIGUSR2, lambda number, _: called.append(number))
    held = HeldSignals(lambda: None)
    held._came += [(signal.SIGUSR1, None), (signal.SIGUSR2, None)]
    with pytest.raises(Raised), held:
        pass
    assert called == [signal.SIGUSR2]


def test_a_process_that_another_thread_forks_meanwhile_has_the_handlers_of_the_program() -> None:
    held = HeldSignals(lambda: None)
    with held:
        child = os.fork()
        if child == 0:
            os._exit(0 if [signal.getsignal(n) for n in HELD] == [raise_it] * 2 else 1)
        assert signal.getsignal(signal.SIGUSR1) is not raise_it
    assert os.waitpid(child, 0)[1] == 0


def test_another_thread_holds_nothing() -> None:
    seen: list[object] = []
    held = HeldSignals(lambda: None)

    def look() -> None:
        with held:
            seen.append(signal.getsignal(signal.SIGUSR1))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [raise_it]
