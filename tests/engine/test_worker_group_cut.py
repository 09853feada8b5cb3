"""A cut ends every wait of a worker group, and what it had lent out is cancelled."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from engine.standing import Scripted, Stand
from minigun_py.contexts.answer import Answer
from minigun_py.contexts.context import LeaseReceiver
from minigun_py.errors import ChannelAborted, ContextError

PATIENCE = 20.0

Answering = Callable[[Answer], None]


def test_what_is_lent_out_at_a_cut_is_cancelled() -> None:
    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        leases.receive(1)
        stand.token.cancel("enough")
        leases.receive(1)

    stand = Stand(script, items=range(5), chunk=2)
    stand.sender.close()
    stand.group.run()
    assert (stand.page.cancelled, stand.page.discarded) == (2, 3)
    assert stand.verdict.errors == ()
    assert stand.context.patience == 0.0
    assert stand.ledger.imbalances() == []


@pytest.mark.parametrize("ordered", [True, False])
def test_a_cut_wakes_every_thread_that_waits(ordered: bool) -> None:
    ended: list[str] = []

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        def wait() -> None:
            try:
                while True:
                    leases.receive(1)
            except ChannelAborted as error:
                ended.append(str(error.reason))

        threads = [threading.Thread(target=wait) for _ in range(4)]
        for thread in threads:
            thread.start()
        stand.token.cancel("enough")
        for thread in threads:
            thread.join(PATIENCE)

    stand = Stand(script, items=range(50), chunk=1, ordered=ordered, workers=2)
    stand.group.run()
    stand.sender.close()
    assert ended == ["enough"] * 4


def test_force_is_passed_to_the_context() -> None:
    stand = Stand(lambda context, leases, answer: None)
    stand.group.kill("late")
    stand.run()
    assert stand.context.killed == ["late"]


def test_a_loop_whose_workers_are_all_busy_is_woken_and_told_of_a_cut() -> None:
    told: list[object] = []

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        leases.receive_nowait(1)
        leases.raise_if_cut()
        leases.on_ready(lambda: told.append("woken"))
        told.clear()  # there is room downstream already
        stand.token.cancel("enough")
        try:
            leases.raise_if_cut()
        except ChannelAborted as error:
            told.append(error.reason)
            raise

    stand = Stand(script, items=range(5), chunk=2)
    stand.group.run()
    stand.sender.close()
    assert "woken" in told
    assert told[-1] == "enough"
    assert (stand.page.cancelled, stand.page.discarded) == (2, 3)
    assert stand.verdict.errors == ()


def test_a_context_that_is_killed_after_a_cut_is_no_error() -> None:
    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        stand.token.cancel("enough")
        raise ContextError("killed")

    stand = Stand(script, items=range(5))
    stand.group.run()
    stand.sender.close()
    assert stand.verdict.errors == ()


def test_a_context_that_ends_without_a_cut_is_an_error() -> None:
    error = ContextError("the workers cannot be kept alive")

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        raise error

    stand = Stand(script, items=range(5))
    stand.group.run()
    stand.sender.close()
    assert stand.verdict.errors == (error,)
