"""What every kind of context promises to the user of `create_context`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, ClassVar, Self

import pytest

from contract.crash import crash
from contract.functions import (
    TwoArguments,
    awaited,
    look_up,
    nested,
    pass_both,
    raise_it,
    raise_two_arguments,
    raise_with_lock,
    type_name,
)
from contract.gate import LIMIT, open_gate
from contract.needs import Contract, needs
from minigun_py.contexts import TaskContext
from minigun_py.contexts.context import Traits
from minigun_py.errors import (
    ContextError,
    NotPicklable,
    RemoteError,
    RunCancelled,
    UsageError,
    WorkerDied,
)
from minigun_py.placement import ContextKind

__all__ = ["DoorContract"]


class DoorContract(Contract):
    """Execute, join and terminate, one function at a time."""

    kind: ClassVar[ContextKind]
    traits: ClassVar[Traits]
    beside_caller: ClassVar[bool] = True
    """Whether `execute` returns before the function does."""

    @pytest.fixture
    def context(self) -> TaskContext:
        kind = _Awaiting if self.traits.runs_coroutines else TaskContext
        return kind(self.kind, "errand")

    # ------------------------------------------------------------- results

    def test_join_returns_what_the_function_returned(self, context: TaskContext) -> None:
        assert context.execute(divmod, 7, 2).join(LIMIT) == (3, 1)

    def test_execute_returns_the_context(self, context: TaskContext) -> None:
        assert context.execute(int) is context
        context.join(LIMIT)

    def test_keyword_arguments_arrive(self, context: TaskContext) -> None:
        assert context.execute(int, "ff", base=16).join(LIMIT) == 255

    def test_a_closure_can_be_executed(self, context: TaskContext) -> None:
        seen = ["before"]
        assert context.execute(lambda: seen[0]).join(LIMIT) == "before"

    @pytest.mark.parametrize("value", [None, False, 0, "", [], [1, None], {}, ()])
    def test_a_result_is_kept_as_it_is(self, context: TaskContext, value: object) -> None:
        result = context.execute(lambda: value).join(LIMIT)
        assert (result, type(result)) == (value, type(value))

    @pytest.mark.parametrize("mebibytes", [2, 64])
    def test_a_large_result_arrives_whole(self, context: TaskContext, mebibytes: int) -> None:
        size = mebibytes << 20
        result = context.execute(lambda: bytes(size - 1) + b"!").join(LIMIT)
        assert (len(result), result[-1:]) == (size, b"!")

    def test_an_exception_can_be_a_result(self, context: TaskContext) -> None:
        assert isinstance(context.execute(ValueError, "no error").join(LIMIT), ValueError)

    def test_the_worker_is_where_its_kind_says(self, context: TaskContext) -> None:
        pid, thread = context.execute(lambda: (os.getpid(), threading.get_ident())).join(LIMIT)
        assert (pid == os.getpid()) != self.traits.survives_crash
        if not self.beside_caller:
            assert thread == threading.get_ident()

    def test_objects_are_shared_or_copied_as_the_kind_says(self, context: TaskContext) -> None:
        mine: list[int] = []
        theirs = context.execute(lambda: (mine.append(1), mine)[1]).join(LIMIT)
        assert theirs == [1]
        assert (theirs is mine) == self.traits.shares_memory

    @pytest.mark.parametrize("inner", ["inline", "thread", "fork", "process"])
    def test_what_it_runs_may_use_a_context_itself(self, context: TaskContext, inner: str) -> None:
        if self.kind is ContextKind.SUBINTERPRETER and inner in ("fork", "process"):
            with pytest.raises(UsageError, match="may start no process"):
                context.execute(nested, inner, 5).join(LIMIT)
        else:
            assert context.execute(nested, inner, 5).join(LIMIT) == 6

    # ------------------------------------------------------------- failures

    def test_join_raises_what_the_function_raised(self, context: TaskContext) -> None:
        with pytest.raises(ValueError, match="invalid literal"):
            context.execute(int, "x").join(LIMIT)

    def test_the_traceback_leads_to_the_function(self, context: TaskContext) -> None:
        with pytest.raises(KeyError) as raised:
            context.execute(look_up, "missing").join(LIMIT)
        assert "in look_up" in "".join(traceback.format_exception(raised.value))

    def test_a_result_that_cannot_be_pickled(self, context: TaskContext) -> None:
        context.execute(threading.Lock)
        if self.traits.shares_memory:
            assert context.join(LIMIT).acquire(blocking=False)
        else:
            with pytest.raises(NotPicklable, match="lock"):
                context.join(LIMIT)

    def test_an_argument_that_cannot_be_pickled(self, context: TaskContext) -> None:
        lock = threading.Lock()
        if self.traits.shares_memory or self.traits.inherits_code:
            assert context.execute(type_name, lock).join(LIMIT) == "lock"
        else:
            with pytest.raises(NotPicklable, match="lock"):
                context.execute(type_name, lock)
            assert context.execute(int, "5").join(LIMIT) == 5

    def test_an_exception_that_cannot_be_pickled(self, context: TaskContext) -> None:
        context.execute(raise_with_lock, 0)
        expected = ValueError if self.traits.shares_memory else RemoteError
        with pytest.raises(expected, match="holds a lock"):
            context.join(LIMIT)

    def test_an_exception_whose_constructor_cannot_be_called_again(
        self, context: TaskContext
    ) -> None:
        context.execute(raise_two_arguments, 0)
        expected = TwoArguments if self.traits.shares_memory else RemoteError
        with pytest.raises(expected, match="one and two"):
            context.join(LIMIT)

    def test_an_exception_of_a_local_class(self, context: TaskContext) -> None:
        class Local(Exception):
            pass

        context.execute(raise_it, Local("from here"))
        with pytest.raises(Local if self.traits.shares_memory else RemoteError, match="from here"):
            context.join(LIMIT)

    def test_sys_exit_ends_the_function_and_not_the_program(self, context: TaskContext) -> None:
        context.execute(sys.exit, 3)
        if not self.traits.shares_memory:
            with pytest.raises(WorkerDied) as died:
                context.join(LIMIT)
            assert died.value.status == 3
        else:
            with pytest.raises(SystemExit) as ended:
                context.join(LIMIT)
            assert ended.value.code == 3

    @needs("survives_crash")
    @pytest.mark.parametrize("status", [-signal.SIGKILL, -signal.SIGSEGV, 0, 7])
    def test_a_crash_is_told_with_its_status(self, context: TaskContext, status: int) -> None:
        with pytest.raises(WorkerDied) as died:
            context.execute(crash, status).join(LIMIT)
        assert died.value.status == status

    # ------------------------------------------------------------- life

    def test_join_can_be_called_again(self, context: TaskContext) -> None:
        context.execute(int, "5")
        assert [context.join(LIMIT), context.join(LIMIT)] == [5, 5]

    def test_join_raises_again(self, context: TaskContext) -> None:
        context.execute(int, "x")
        for _ in range(2):
            with pytest.raises(ValueError, match="invalid literal"):
                context.join(LIMIT)

    def test_it_can_be_used_again_after_the_join(self, context: TaskContext) -> None:
        assert [context.execute(abs, -n).join(LIMIT) for n in range(3)] == [0, 1, 2]

    def test_it_can_be_used_again_after_a_failure(self, context: TaskContext) -> None:
        with pytest.raises(ValueError, match="invalid literal"):
            context.execute(int, "x").join(LIMIT)
        assert context.execute(int, "5").join(LIMIT) == 5

    def test_an_idle_one_has_nothing_to_join(self, context: TaskContext) -> None:
        with pytest.raises(ContextError, match="nothing to join"):
            context.join(LIMIT)

    def test_an_idle_one_is_not_alive_and_can_be_terminated(self, context: TaskContext) -> None:
        context.terminate()
        assert not context.alive
        assert context.execute(int, "5").join(LIMIT) == 5

    def test_a_result_has_to_be_joined_before_the_next_execute(self, context: TaskContext) -> None:
        context.execute(int, "5")
        with pytest.raises(ContextError, match="join it first"):
            context.execute(int, "6")
        assert context.join(LIMIT) == 5

    def test_it_is_alive_until_the_function_has_ended(self, context: TaskContext) -> None:
        if not self.beside_caller:
            assert context.execute(lambda: context.alive).join(LIMIT) is True
        else:
            with open_gate() as gate:
                context.execute(gate.pass_through)
                gate.wait_for(1)
                assert context.alive
                gate.let_go()
                context.join(LIMIT)
        assert not context.alive

    @needs("beside_caller")
    def test_a_join_that_is_out_of_time_leaves_the_function_running(
        self, context: TaskContext
    ) -> None:
        with open_gate() as gate:
            context.execute(gate.pass_through)
            gate.wait_for(1)
            with pytest.raises(TimeoutError, match=r"0\.01 s"):
                context.join(0.01)
            gate.let_go()
            assert context.join(LIMIT) is None

    @needs("beside_caller")
    def test_a_busy_one_refuses_other_work(self, context: TaskContext) -> None:
        with open_gate() as gate:
            context.execute(gate.pass_through)
            with pytest.raises(ContextError, match="'errand' is busy"):
                context.execute(int)
            gate.let_go()
            context.join(LIMIT)

    @needs("beside_caller")
    def test_the_join_of_a_terminated_one_raises_run_cancelled(self, context: TaskContext) -> None:
        with open_gate() as gate:
            context.execute(gate.pass_through)
            gate.wait_for(1)
            context.terminate()
            assert not context.alive
            with pytest.raises(RunCancelled, match="terminated"):
                context.join(LIMIT)
            if not self.traits.killable:
                gate.let_go()
            assert context.execute(int, "5").join(LIMIT) == 5

    @needs("beside_caller")
    def test_a_terminated_function_runs_on_only_where_it_cannot_be_killed(
        self, context: TaskContext
    ) -> None:
        with open_gate() as gate, open_gate() as beyond:
            context.execute(pass_both, gate, beyond)
            gate.wait_for(1)
            context.terminate()
            gate.let_go()
            beyond.let_go()
            if self.traits.killable:
                assert beyond.nobody_waits()
            else:
                beyond.wait_for(1)


class _Awaiting(TaskContext):
    """Executes every function as a coroutine function."""

    def execute(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Self:
        return super().execute(awaited(function), *args, **kwargs)
