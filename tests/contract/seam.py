"""What every kind of context promises to a worker group."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from contract.functions import (
    DeadlyToRebuild,
    Gated,
    GatedCoroutine,
    TwoArguments,
    deadly_result_for_two,
    die_at_zero,
    double,
    hang_at_zero,
    invert,
    lock_for_two,
    own_pid,
    raise_two_arguments,
    raise_with_lock,
    same,
    type_name,
    unbuildable_for_two,
)
from contract.gate import LIMIT, Gate, open_gate
from contract.kernels import (
    AttemptKernel,
    ChainKernel,
    HoldingKernel,
    LargeHoldingKernel,
    LargeKernel,
    Leases,
    LimitedKernel,
)
from contract.needs import Contract, needs
from minigun_py.clock import Deadline
from minigun_py.contexts import registry
from minigun_py.contexts.answer import Died, Done, Returned, Vanished
from minigun_py.contexts.context import ExecutionContext, Traits
from minigun_py.contexts.fork_server import ForkServer
from minigun_py.contexts.kernel import Kernel
from minigun_py.contexts.serve_loop import MAX_EARLY_DEATHS
from minigun_py.errors import (
    ChannelAborted,
    ContextError,
    ItemTimedOut,
    NotPicklable,
    RemoteError,
    WorkerDied,
)
from minigun_py.placement import ContextKind, ContextSpec
from support.processes import open_process

__all__ = ["SeamContract"]


class SeamContract(Contract):
    """Open, serve, close and kill, as a worker group uses them."""

    kind: ClassVar[ContextKind]
    traits: ClassVar[Traits]
    workers: ClassVar[int] = 3

    def test_its_traits_are_those_that_the_plan_reads(self) -> None:
        assert registry.traits_of(self.kind) == self.traits
        assert registry.create(self.kind).traits == self.traits

    # ------------------------------------------------------------- answers

    def test_every_lease_is_answered_once(self) -> None:
        leases = Leases(*([n, n + 1] for n in range(0, 200, 2)))
        self._serve(ChainKernel(double=double), leases)
        assert sorted(answer.lease.place for answer in leases.done) == list(range(100))
        assert leases.outputs == [2 * n for n in range(200)]

    def test_an_answer_holds_the_very_lease_that_was_lent(self) -> None:
        leases = Leases([1], [2])
        self._serve(ChainKernel(double=double), leases)
        assert {id(answer.lease) for answer in leases.done} == set(map(id, leases.lent))

    def test_no_lease_is_a_stream_too(self) -> None:
        leases = Leases()
        self._serve(ChainKernel(double=double), leases)
        assert leases.answers == []

    def test_a_lease_without_items_is_answered(self) -> None:
        leases = Leases([], [1])
        self._serve(ChainKernel(double=double), leases)
        assert (len(leases.done), leases.outputs) == (2, [2])

    def test_values_that_mean_nothing_come_back_as_they_are(self) -> None:
        values = [None, False, 0, "", [], {}, ()]
        leases = Leases(values)
        self._serve(ChainKernel(same=same), leases)
        assert leases.outputs == values

    def test_large_items_go_and_come_while_others_do(self) -> None:
        large = [bytes([n]) * 1_000_000 for n in range(8)]
        leases = Leases(*([item] for item in large))
        self._serve(ChainKernel(same=same), leases)
        assert leases.outputs == large

    @pytest.mark.parametrize("mebibytes", [2, 64])
    def test_an_item_of_any_size_arrives_whole(self, mebibytes: int) -> None:
        leases = Leases([bytes(mebibytes << 20)], [b"small"])
        self._serve(ChainKernel(size=len), leases)
        assert leases.outputs == [mebibytes << 20, 5]

    def test_large_buffers_come_back_whole_and_writable(self) -> None:
        leases = Leases([bytearray(b"x" * 3_000_000)])
        self._serve(ChainKernel(same=same), leases)
        (output,) = leases.outputs
        output[0] = 0
        assert bytes(output[1:]) == b"x" * 2_999_999

    def test_each_stage_counts_what_it_did(self) -> None:
        leases = Leases([1, 0, 2])
        self._serve(ChainKernel(invert=invert, double=double), leases)
        first, second = leases.done[0].harvest.counts
        assert (first.received, first.completed, first.failed) == (3, 2, 1)
        assert (second.received, second.completed, second.emitted) == (2, 2, 2)

    def test_a_worker_is_told_how_often_the_items_of_a_lease_are_tried_with_it(self) -> None:
        leases = Leases([1], [2], [3])
        leases.lent[1].attempt = 3
        self._serve(AttemptKernel(same=same), leases, workers=1)
        assert leases.outputs == [(1, 1), (2, 3), (3, 1)]

    # ------------------------------------------------------------- failures

    def test_a_failure_names_its_stage_its_item_and_its_place(self) -> None:
        leases = Leases([1, 2, 0, 4])
        self._serve(ChainKernel(invert=invert), leases)
        (failure,) = leases.failures
        assert (failure.stage, failure.index, failure.item) == ("invert", 2, 0)
        assert isinstance(failure.error, ZeroDivisionError)
        assert leases.outputs == [1, 0.5, 0.25]

    def test_a_later_stage_fails_on_what_reached_it(self) -> None:
        leases = Leases([5, 0, 7])
        self._serve(ChainKernel(double=double, invert=invert), leases)
        (failure,) = leases.failures
        assert (failure.stage, failure.index, failure.item) == ("invert", 1, 0)

    def test_items_after_a_failed_one_are_run(self) -> None:
        leases = Leases([0, 0, 1], [0, 2])
        self._serve(ChainKernel(invert=invert), leases)
        assert (leases.outputs, len(leases.failures)) == ([1, 0.5], 3)

    def test_an_error_says_where_it_was_raised(self) -> None:
        leases = Leases([0])
        self._serve(ChainKernel(invert=invert), leases)
        (failure,) = leases.failures
        assert "invert" in _trace_of(failure.error)

    def test_an_item_that_cannot_cross_harms_no_neighbour(self) -> None:
        leases = Leases([1, threading.Lock(), 3])
        self._serve(ChainKernel(name=type_name), leases)
        if self.traits.shares_memory:
            assert leases.outputs == ["int", "lock", "int"]
        else:
            (failure,) = leases.failures
            assert (failure.index, failure.item) == (1, leases.lent[0].items[1])
            assert isinstance(failure.error, NotPicklable)
            assert leases.outputs == ["int", "int"]

    def test_a_result_that_cannot_cross_harms_no_neighbour(self) -> None:
        leases = Leases([1, 2, 3])
        self._serve(ChainKernel(lock=lock_for_two), leases)
        if self.traits.shares_memory:
            assert len(leases.outputs) == 3
        else:
            (failure,) = leases.failures
            assert (failure.stage, failure.index, failure.item) == ("lock", 1, 2)
            assert isinstance(failure.error, NotPicklable)
            assert leases.outputs == [1, 3]

    def test_a_result_that_cannot_be_rebuilt_harms_no_neighbour(self) -> None:
        leases = Leases([1, 2, 3])
        self._serve(ChainKernel(build=unbuildable_for_two), leases)
        if self.traits.shares_memory:
            assert len(leases.outputs) == 3
        else:
            (failure,) = leases.failures
            assert (failure.index, failure.item) == (1, 2)
            assert isinstance(failure.error, NotPicklable)
            assert leases.outputs == [1, 3]

    def test_an_error_that_cannot_be_rebuilt_is_told_by_name_and_text(self) -> None:
        leases = Leases([1])
        self._serve(ChainKernel(fail=raise_two_arguments), leases)
        (failure,) = leases.failures
        assert str(failure.error).endswith("one and two")
        if self.traits.shares_memory:
            assert isinstance(failure.error, TwoArguments)
        else:
            assert isinstance(failure.error, RemoteError)
            assert failure.error.type_name.endswith("TwoArguments")

    def test_an_error_that_cannot_be_pickled_is_told_by_name_and_text(self) -> None:
        leases = Leases([1])
        self._serve(ChainKernel(fail=raise_with_lock), leases)
        (failure,) = leases.failures
        assert isinstance(failure.error, ValueError if self.traits.shares_memory else RemoteError)
        assert "holds a lock" in str(failure.error)

    # ------------------------------------------------------------- workers

    def test_as_many_leases_as_workers_are_run_at_a_time(self) -> None:
        leases = Leases(*([n] for n in range(self.workers)))
        with open_gate() as gate, self._serving(self._gated(gate), leases):
            gate.wait_for(self.workers)
            gate.let_go(self.workers)
        assert leases.outputs == list(range(self.workers))

    def test_no_more_leases_than_workers_are_run_at_a_time(self) -> None:
        leases = Leases(*([n] for n in range(3 * self.workers)))
        with open_gate() as gate, self._serving(self._gated(gate), leases):
            gate.wait_for(self.workers)
            assert gate.nobody_waits()
            gate.let_go(3 * self.workers)
        assert sorted(leases.outputs) == list(range(3 * self.workers))

    def test_a_lease_that_comes_late_is_served(self) -> None:
        leases = Leases([1], ended=False)
        with self._serving(ChainKernel(double=double), leases):
            leases.wait_for_answers(1)
            leases.end()
        assert leases.outputs == [2]

    def test_a_lease_that_is_there_after_a_while_is_asked_for_though_nobody_tells_of_it(
        self,
    ) -> None:
        leases = Leases([1])
        leases.add_later(0.02, [2])
        self._serve(ChainKernel(double=double), leases)
        assert leases.outputs == [2, 4]

    # ------------------------------------------------------------- workers that hold items

    @needs("not one_lease_each")
    def test_what_a_worker_holds_comes_with_its_last_lease(self) -> None:
        leases = self._leases_to_hold([1, 2], [3], workers=1)
        self._serve(HoldingKernel(), leases, workers=1)
        assert [answer.harvest.outputs for answer in leases.done] == [
            [[]], [[]], [[(1, 1), (1, 2), (1, 3)]],
        ]  # fmt: skip

    @needs("one_lease_each")
    def test_what_a_worker_of_one_lease_holds_comes_with_that_lease(self) -> None:
        leases = self._leases_to_hold([1, 2], [3], workers=1)
        self._serve(HoldingKernel(), leases, workers=1)
        assert [answer.harvest.outputs for answer in leases.done] == [
            [[(1, 1), (1, 2)]], [[(1, 3)]], [[]],
        ]  # fmt: skip

    @needs("not runs_coroutines")
    def test_each_worker_gets_a_last_lease_of_its_own(self) -> None:
        leases = self._leases_to_hold(*([n] for n in range(20)))
        self._serve(HoldingKernel(), leases)
        last = [answer.lease.worker for answer in leases.done if answer.lease.last]
        assert sorted(last) == list(range(1, self.workers + 1))
        assert sorted(item for _, item in leases.outputs) == list(range(20))

    @needs("not runs_coroutines")
    def test_a_lease_is_run_by_the_worker_that_it_is_for(self) -> None:
        leases = self._leases_to_hold(*([n] for n in range(20)))
        self._serve(HoldingKernel(), leases)
        for answer in leases.done:
            assert {worker for worker, _ in answer.harvest.outputs[0]} <= {answer.lease.worker}

    @needs("runs_coroutines")
    def test_workers_of_one_loop_hold_together_and_get_one_last_lease(self) -> None:
        leases = self._leases_to_hold(*([n] for n in range(20)))
        self._serve(HoldingKernel(), leases)
        (last,) = [answer for answer in leases.done if answer.lease.last]
        assert sorted(item for _, item in last.harvest.outputs[0]) == list(range(20))

    @needs("not one_lease_each")
    def test_a_flush_has_what_is_held_emitted_and_the_worker_goes_on(self) -> None:
        leases = self._leases_to_hold([1], [2], [], [3], workers=1)
        leases.lent[2].flush = True
        self._serve(HoldingKernel(), leases, workers=1)
        assert [answer.harvest.outputs for answer in leases.done] == [
            [[]], [[]], [[(1, 1), (1, 2)]], [[]], [[(1, 3)]],
        ]  # fmt: skip

    @needs("not one_lease_each")
    def test_an_answer_says_how_many_items_are_held_and_when_the_worker_is_due(self) -> None:
        leases = self._leases_to_hold([1, 2], [3], workers=1)
        self._serve(HoldingKernel(due=123.5), leases, workers=1)
        assert [(a.harvest.held, a.harvest.due) for a in leases.done] == [
            (2, 123.5), (3, 123.5), (0, 123.5),
        ]  # fmt: skip

    @needs("recycles")
    def test_a_worker_that_has_had_its_share_gives_what_it_holds(self) -> None:
        leases = self._leases_to_hold([1], [2], [3], workers=1)
        self._serve(HoldingKernel(), leases, workers=1, share=2)
        given = {answer.lease.place: answer.harvest.outputs[0] for answer in leases.done}
        assert {1, 2} <= {item for place in (0, 1) for _, item in given[place]}
        assert sorted(item for _, item in leases.outputs) == [1, 2, 3]
        assert not [answer for answer in leases.answers if isinstance(answer, Vanished)]

    @needs("survives_crash")
    def test_a_worker_that_has_grown_too_large_is_replaced_after_its_lease(self) -> None:
        leases = Leases(*([n] for n in range(5)))
        self._serve(LargeKernel(pid=own_pid), leases, workers=1)
        assert len({*leases.outputs}) == 5
        returned = [answer for answer in leases.answers if isinstance(answer, Returned)]
        assert not [answer for answer in returned if answer.death is not None]
        assert not [answer for answer in leases.answers if isinstance(answer, Died)]

    @needs("survives_crash")
    def test_it_gives_what_it_holds_before(self) -> None:
        leases = self._leases_to_hold([1], [2], [3], workers=2)
        self._serve(LargeHoldingKernel(), leases, workers=2)
        assert sorted(item for _, item in leases.outputs) == [1, 2, 3]

    @needs("survives_crash")
    @needs("not one_lease_each")
    def test_a_worker_that_is_killed_has_vanished_with_what_it_held(self) -> None:
        leases = self._leases_to_hold([1, 2], [3], [0, 4], workers=1)
        self._serve(HoldingKernel(die_at_zero), leases, workers=1)
        told = [type(answer) for answer in leases.answers if not isinstance(answer, Done)]
        assert told == [Died, Vanished]
        assert sorted(item for _, item in leases.outputs) == [1, 2, 3, 4]

    @needs("survives_crash")
    def test_no_worker_has_vanished_that_ended_by_itself(self) -> None:
        leases = self._leases_to_hold(*([n] for n in range(20)))
        self._serve(HoldingKernel(), leases)
        assert {type(answer) for answer in leases.answers} == {Done}

    @needs("survives_crash")
    def test_no_worker_vanishes_that_holds_nothing(self) -> None:
        leases = Leases([1, 0], [2])
        self._serve(ChainKernel(die=die_at_zero), leases)
        assert not [answer for answer in leases.answers if isinstance(answer, Vanished)]

    def test_an_item_that_cannot_cross_takes_nothing_from_what_is_held(self) -> None:
        leases = self._leases_to_hold([1, threading.Lock(), 3, threading.Lock()], workers=1)
        self._serve(HoldingKernel(type_name), leases, workers=1)
        came = [name for _, name in leases.outputs]
        if self.traits.shares_memory:
            assert came == ["int", "lock", "int", "lock"]
        else:
            assert [failure.index for failure in leases.failures] == [1, 3]
            assert came == ["int", "int"]

    @needs("not shares_memory")
    @needs("not one_lease_each")
    def test_an_item_that_cannot_cross_leaves_it_known_how_many_are_held(self) -> None:
        leases = self._leases_to_hold([1, 2, threading.Lock()], workers=1)
        self._serve(HoldingKernel(due=5.0), leases, workers=1)
        first = leases.done[0].harvest
        assert (first.held, first.due) == (2, 5.0)
        assert [n for span in first.finished for n in span] == [2]

    @needs("survives_crash")
    @needs("not one_lease_each")
    def test_what_is_held_comes_back_though_an_item_beside_it_could_not_cross(self) -> None:
        leases = self._leases_to_hold([1, threading.Lock(), 2], [3], [0, 4], workers=1)
        self._serve(HoldingKernel(die_at_zero), leases, workers=1)
        assert sorted(item for _, item in leases.outputs) == [1, 2, 3, 4]

    @needs("not shares_memory")
    @pytest.mark.parametrize("beside", [3, threading.Lock()], ids=["at once", "one by one"])
    @pytest.mark.parametrize("function", [lock_for_two, unbuildable_for_two])
    def test_what_is_held_and_cannot_cross_ends_the_work(self, function: Any, beside: Any) -> None:
        """It may be made of many items, none of which could be run again."""
        leases = self._leases_to_hold([1, 2, beside], workers=1)
        with pytest.raises(NotPicklable):
            self._serve(HoldingKernel(function), leases, workers=1, share=3)

    # ------------------------------------------------------------- endings

    def test_serve_is_ended_by_a_cut(self) -> None:
        leases = Leases([1], ended=False)
        with pytest.raises(ChannelAborted, match="enough"):  # noqa: SIM117
            with self._serving(ChainKernel(double=double), leases):
                leases.wait_for_answers(1)
                leases.abort("enough")
        assert leases.outputs == [2]

    @needs("killable")
    def test_a_cut_ends_serve_though_every_worker_is_busy(self) -> None:
        leases = Leases(*([n] for n in range(2 * self.workers)))
        with open_gate() as gate:
            context = self._opened(self._gated(gate))
            thread, raised = _in_thread(context, leases)
            gate.wait_for(self.workers)
            leases.abort("enough")
            thread.join(LIMIT)
            assert not thread.is_alive()
            context.close(Deadline.after(0.0))
        assert isinstance(raised[0], ChannelAborted)

    def test_a_cut_context_can_be_closed_at_once(self) -> None:
        context = self._opened(ChainKernel(double=double))
        leases = Leases([1], [2])
        leases.abort("enough")
        with pytest.raises(ChannelAborted):
            context.serve(leases, leases.answer)
        context.close(Deadline.after(0.0))
        assert leases.answers == []

    def test_it_can_be_closed_twice(self) -> None:
        context = self._opened(ChainKernel(double=double))
        context.close(Deadline.after(LIMIT))
        context.close(Deadline.after(LIMIT))

    def test_it_can_be_closed_without_having_served(self) -> None:
        context = self._opened(ChainKernel(double=double))
        context.close(Deadline.after(0.0))

    def test_it_can_be_closed_without_having_been_opened(self) -> None:
        registry.create(self.kind).close(Deadline.after(0.0))

    def test_it_cannot_be_used_after_the_close(self) -> None:
        context = self._opened(ChainKernel(double=double))
        context.close(Deadline.after(LIMIT))
        leases = Leases([1])
        with pytest.raises(ContextError, match="not open"):
            context.serve(leases, leases.answer)

    def test_it_cannot_be_used_before_the_open(self) -> None:
        leases = Leases([1])
        with pytest.raises(ContextError, match="not open"):
            registry.create(self.kind).serve(leases, leases.answer)

    def test_a_kill_after_the_close_does_nothing(self) -> None:
        context = self._opened(ChainKernel(double=double))
        context.close(Deadline.after(LIMIT))
        context.kill("too late")

    def test_a_kill_ends_serve_where_the_kind_can_be_killed(self) -> None:
        leases = Leases([1])
        with open_gate() as gate:
            context = self._opened(self._gated(gate))
            thread, raised = _in_thread(context, leases)
            gate.wait_for(1)
            context.kill("enough of it")
            if not self.traits.killable:
                gate.let_go()
            thread.join(LIMIT)
            assert not thread.is_alive()
            context.close(Deadline.after(LIMIT))
        if self.traits.killable:
            assert isinstance(raised[0], ContextError)
            assert "enough of it" in str(raised[0])
        else:
            assert (raised, leases.outputs) == ([], [1])

    # ------------------------------------------------------------- deaths

    @needs("survives_crash")
    def test_a_death_blames_the_running_item_and_no_other(self) -> None:
        leases = Leases([1, 2, 0, 4], [5, 6])
        self._serve(ChainKernel(die=die_at_zero), leases, workers=1)
        (died,) = [answer for answer in leases.answers if isinstance(answer, Died)]
        assert (died.lease, died.index) == (leases.lent[0], 2)
        assert isinstance(died.error, WorkerDied)
        assert died.error.status == -signal.SIGKILL
        assert sorted(leases.outputs) == [1, 2, 4, 5, 6]

    @needs("killable")
    @needs("not runs_coroutines")
    def test_an_item_that_takes_too_long_fails_and_no_other(self) -> None:
        leases = Leases([1, 2, 0, 4], [5, 6])
        self._serve(LimitedKernel(hang=hang_at_zero), leases, workers=1)
        (died,) = [answer for answer in leases.answers if isinstance(answer, Died)]
        assert (died.lease, died.index) == (leases.lent[0], 2)
        assert isinstance(died.error, ItemTimedOut)
        assert died.error.seconds == LimitedKernel.timeout
        assert sorted(leases.outputs) == [1, 2, 4, 5, 6]

    @needs("killable")
    @needs("not runs_coroutines")
    def test_workers_that_are_ended_for_time_are_no_accident(self) -> None:
        leases = Leases(*([0] for _ in range(MAX_EARLY_DEATHS + 2)))
        self._serve(LimitedKernel(hang=hang_at_zero), leases, workers=8)
        died = [answer for answer in leases.answers if isinstance(answer, Died)]
        assert len(died) == MAX_EARLY_DEATHS + 2

    @needs("killable")
    @needs("not runs_coroutines")
    def test_an_item_that_had_ended_when_its_worker_was_ended_is_run_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The worker is at another item by then, which is not to blame either."""
        with open_gate() as gate:
            kill = ForkServer.kill

            def kill_late(crew: ForkServer, worker: int) -> None:
                gate.let_go()  # it goes on to the next item, and waits there
                gate.wait_for(2)
                watch = open_process(worker)
                kill(crew, worker)
                assert select.select([watch], [], [], LIMIT)[0]
                os.close(watch)
                gate.let_go(2)

            monkeypatch.setattr(ForkServer, "kill", kill_late)
            leases = Leases([1, 2])
            self._serve(LimitedKernel(gated=Gated(gate)), leases, workers=1)
        assert [type(answer) for answer in leases.answers] == [Returned, Done]
        assert leases.outputs == [1, 2]

    @needs("survives_crash")
    def test_a_death_is_told_once(self) -> None:
        leases = Leases([0, 1], [2, 3], [4, 5])
        self._serve(ChainKernel(die=die_at_zero), leases, workers=1)
        told = [a for a in leases.answers if not isinstance(a, Done) and _death_of(a) is not None]
        assert len(told) == 1

    @needs("survives_crash")
    @pytest.mark.parametrize("moment", ["item is rebuilt", "result is pickled"])
    def test_a_death_while_an_item_crosses_blames_that_item(self, moment: str) -> None:
        function = same if moment == "item is rebuilt" else deadly_result_for_two
        item = DeadlyToRebuild(os.getpid()) if moment == "item is rebuilt" else 2
        leases = Leases([1, item, 3])
        self._serve(ChainKernel(cross=function), leases, workers=1)
        (died,) = [answer for answer in leases.answers if isinstance(answer, Died)]
        assert died.index == 1
        assert leases.outputs == [1, 3]

    # ------------------------------------------------------------- steps

    def _gated(self, gate: Gate) -> ChainKernel:
        return ChainKernel(
            wait=GatedCoroutine(gate) if self.traits.runs_coroutines else Gated(gate)
        )

    def _leases_to_hold(self, *chunks: list[Any], workers: int | None = None) -> Leases:
        together = self.traits.runs_coroutines
        return Leases(*chunks, holders=workers or self.workers, together=together)

    def _opened(
        self, kernel: Kernel, workers: int | None = None, share: int | None = None
    ) -> ExecutionContext:
        context = registry.create(self.kind)
        context.open(kernel, ContextSpec(self.kind, workers or self.workers, share))
        return context

    def _serve(
        self,
        kernel: Kernel,
        leases: Leases,
        workers: int | None = None,
        share: int | None = None,
    ) -> None:
        context = self._opened(kernel, workers, share)
        try:
            context.serve(leases, leases.answer)
        finally:
            context.close(Deadline.after(LIMIT))

    @contextlib.contextmanager
    def _serving(self, kernel: Kernel, leases: Leases) -> Iterator[None]:
        """Serve in another thread; what `serve` raises is raised in the end."""
        context = self._opened(kernel)
        try:
            thread, raised = _in_thread(context, leases)
            try:
                yield
            except BaseException:
                leases.abort("the test has failed")
                raise
            finally:
                thread.join(LIMIT)
            assert not thread.is_alive()
        finally:
            context.close(Deadline.after(LIMIT))
        if raised:
            raise raised[0]


def _in_thread(
    context: ExecutionContext, leases: Leases
) -> tuple[threading.Thread, list[BaseException]]:
    raised: list[BaseException] = []

    def serve() -> None:
        try:
            context.serve(leases, leases.answer)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread, raised


def _trace_of(error: BaseException) -> str:
    import traceback

    return "".join(traceback.format_exception(error))


def _death_of(answer: Any) -> WorkerDied | None:
    return answer.error if isinstance(answer, Died) else getattr(answer, "death", None)
