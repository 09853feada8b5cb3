"""A program that goes through every fault there is, in one kind of context, under one policy.

For each it says in a line what came of it, and how many processes it left.
"""

from __future__ import annotations

import faulthandler
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, Literal

from contract.gate import LIMIT
from faults import deeds, strikes
from faults.kinds import AnyPipeline, has_several_workers, traits_for
from faults.processes import end_idle_workers
from faults.session import left_of
from faults.strikes import BAD, BAD_AT_FIRST, FOREIGN, ITEMS, Struck, Unpicklable
from minigun_py import PipelineFailed, Retry, RunReport, UsageError
from minigun_py.plan.hooks import HOOKS, STAGE_HOOKS

__all__ = ["POLICIES", "SOAKING", "Fault", "Price", "faults_for", "go_through"]

SOAKING: Final = os.environ.get("HYPOTHESIS_PROFILE") == "soak"

POLICIES: Final[dict[str, dict[str, Any]]] = {
    "fail": {"on_error": "fail"},
    "skip": {"on_error": "skip"},
    "retry": {"on_error": "skip", "retry": Retry(2, backoff=0)},
}
"""What is said of the stage."""

SECONDS: Final = 0.5
"""That an item may take which hangs."""

SOON: Final = 2.0  # seconds

LARGE: Final = 300_000
"""Bytes that do not fit into a socket."""

Price = Literal["nothing", "item", "item for good", "worker", "run", "refused", "caller"]
"""What a fault costs where it is skipped.

What is lost for good is not tried again. A *worker* is all there is of its kind, so the run ends
with it, and an interrupt of the *caller* is raised there.
"""

Declare = Callable[[AnyPipeline, dict[str, Any], ExitStack], object]
"""Declares a pipeline that meets a fault; what is entered is left when it has run."""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong."""

    name: str
    price: Price
    declare: Declare


def go_through(kind: str, policy: str) -> None:
    """Run a pipeline for each fault, and say what came of it."""
    for fault in faults_for(kind, policy):
        # For when even the time-out of the run does not end it.
        faulthandler.dump_traceback_later(LIMIT + SOON, exit=True)
        outcome = _outcome(fault, kind, POLICIES[policy])
        left = len(left_of(os.getsid(0), SOON))
        os.write(1, f"{fault.name}: {outcome}, {left} left\n".encode())
    faulthandler.cancel_dump_traceback_later()


def faults_for(kind: str, policy: str) -> list[Fault]:
    """The faults that can happen in this kind.

    Around the items no policy makes a difference; that is shown for the most tempting one.
    """
    faults = list(_at_an_item(kind, tried_again="retry" in POLICIES[policy]))
    return [*faults, *_around_items(kind)] if policy == "skip" else faults


def _outcome(fault: Fault, kind: str, options: dict[str, Any]) -> str:
    pipe = AnyPipeline("faulty", kind, queue_size=1, **_workers(kind))
    try:
        with ExitStack() as stack:
            fault.declare(pipe, options, stack)
            with pipe.stream(timeout=LIMIT) as stream:
                count = sum(1 for _ in stream)
    except PipelineFailed as failed:
        if fault.price in ("run", "worker"):
            return f"failed since {' and '.join({str(error) for error in failed.exceptions})}"
        return f"failed, {_lost(failed.report)}"
    except (KeyboardInterrupt, UsageError) as error:
        return type(error).__name__
    return f"{count} results, {_lost(stream.report)}, {stream.report['work'].retried} tried again"


def _workers(kind: str) -> dict[str, Any]:
    """Two, but one of those that are slow to begin, unless time does not matter."""
    if not has_several_workers(kind):
        return {}
    return {"workers": 2 if SOAKING or traits_for(kind).inherits_code else 1}


def _lost(report: RunReport) -> str:
    lost = sorted(f"{failed.item} after {failed.attempts}" for failed in report.failures)
    return f"lost {' and '.join(lost) or 'nothing'}"


# --------------------------------------------------------------------------- at an item


def _at_an_item(kind: str, tried_again: bool) -> Iterator[Fault]:
    traits = traits_for(kind)

    def fault(deed: Callable[[int], Any], price: Price = "item", **limit: float) -> Fault:
        def declare(pipe: AnyPipeline, options: dict[str, Any], _: ExitStack) -> None:
            pipe.source(range(ITEMS))
            pipe.processor(Struck(deed, tried_again), name="work", **options, **limit)

        return Fault(deed.__name__, price, declare)

    for deed in _RAISING:
        yield fault(deed)
    yield fault(deeds.interrupt, _price_of_an_interrupt(kind))
    if traits.survives_crash:
        for deed in _DEADLY:
            yield fault(deed)
    if traits.killable:
        hang = strikes.hang_awaiting if traits.runs_coroutines else strikes.hang
        yield fault(hang, timeout=SECONDS)
    if traits.killable and traits.inherits_code and not traits.shares_memory:
        yield _hidden_lock(fault(strikes.take_foreign_lock, timeout=SECONDS))
    price: Price = "nothing" if traits.shares_memory else "item for good"
    for deed in (deeds.return_lock, deeds.return_deep):
        yield fault(deed, price)
    yield Fault("unpicklable item", price, _send_unpicklable)


_RAISING: Final = (
    deeds.raise_value_error,
    deeds.raise_memory_error,
    deeds.raise_two_arguments,
    deeds.raise_unpicklable,
    deeds.recurse,
    deeds.exit_python,
)
_DEADLY: Final = (
    deeds.end_well,
    deeds.end_badly,
    deeds.be_killed,
    deeds.segfault,
)


def _price_of_an_interrupt(kind: str) -> Price:
    """It is the caller's own, or nobody's business but that of a process."""
    if traits_for(kind).survives_crash:
        return "item"
    return "worker" if has_several_workers(kind) else "caller"


def _send_unpicklable(pipe: AnyPipeline, options: dict[str, Any], stack: ExitStack) -> None:
    bad = (BAD, BAD_AT_FIRST) if "retry" in options else (BAD,)
    pipe.source([Unpicklable(n) if n in bad else n for n in range(ITEMS)])
    pipe.processor(strikes.give_back, name="work", **options)


def _hidden_lock(fault: Fault) -> Fault:
    """The same, while the program holds the lock, in a place where nobody looks for one."""

    def declare(pipe: AnyPipeline, options: dict[str, Any], stack: ExitStack) -> None:
        stack.enter_context(FOREIGN["lock"])
        fault.declare(pipe, options, stack)

    return Fault(fault.name, fault.price, declare)


# --------------------------------------------------------------------------- around the items


def _around_items(kind: str) -> Iterator[Fault]:
    traits = traits_for(kind)
    for name, declare in _FAILING.items():
        if "fork" not in name or traits.forks:
            yield Fault(name, "run", declare)
    if not traits.shares_memory:
        yield Fault("foreign lock in sight", "refused", _hold_lock)
        yield Fault("both pipes full", "nothing", _fill_pipes)
    if traits.survives_crash:
        yield Fault("idle workers killed", "nothing", _kill_idle_workers)


def _failing_in(place: str) -> Declare:
    def declare(pipe: AnyPipeline, options: dict[str, Any], stack: ExitStack) -> None:
        pipe.source(range(ITEMS))
        around = {"setup": strikes.set_up} | {place: strikes.raise_os_error}
        pipe.processor(strikes.give_back_beside, name="work", **around, **options)

    return declare


def _failing_in_hook(hook: str) -> Declare:
    def declare(pipe: AnyPipeline, options: dict[str, Any], stack: ExitStack) -> None:
        deed = deeds.raise_value_error if hook == "on_failure" else strikes.give_back
        pipe.source(range(ITEMS))
        pipe.processor(Struck(deed, False), name="work", **options)
        call = getattr(pipe, hook)
        (call("work") if hook in STAGE_HOOKS else call)(strikes.raise_os_error)

    return declare


def _fail_to_produce(pipe: AnyPipeline, options: dict[str, Any], stack: ExitStack) -> None:
    @pipe.producer
    def numbers() -> Iterator[int]:
        yield from range(BAD)
        strikes.raise_os_error()

    pipe.processor(strikes.give_back, name="work", **options)


def _fail_to_flush(pipe: AnyPipeline, options: dict[str, Any], stack: ExitStack) -> None:
    pipe.source(range(ITEMS))
    pipe.add(strikes.FailingFlush(), name="work", **options)


_FAILING: Final[dict[str, Declare]] = {
    "producer": _fail_to_produce,
    "setup": _failing_in("setup"),
    "teardown": _failing_in("teardown"),
    "flush": _fail_to_flush,
    **{hook: _failing_in_hook(hook) for hook in (*HOOKS, *STAGE_HOOKS)},
}


def _hold_lock(pipe: AnyPipeline, options: dict[str, Any], stack: ExitStack) -> None:
    lock = threading.Lock()
    stack.enter_context(lock)

    def take(item: int) -> int:
        with lock:
            return item

    pipe.source(range(ITEMS))
    pipe.processor(take, name="work", **options)


def _fill_pipes(pipe: AnyPipeline, options: dict[str, Any], stack: ExitStack) -> None:
    pipe.source(bytes([number]) * LARGE for number in range(ITEMS))
    pipe.processor(strikes.give_back, name="work", **options)


def _kill_idle_workers(pipe: AnyPipeline, options: dict[str, Any], stack: ExitStack) -> None:
    ran: list[tuple[int, int]] = []
    arrived = threading.Semaphore(0)

    @pipe.producer
    def numbers() -> Iterator[int]:
        for number in range(ITEMS):
            yield number
            assert arrived.acquire(timeout=LIMIT)
            if number == BAD:
                end_idle_workers(pipe.kind, *ran[-1])

    pipe.processor(strikes.tell_where, name="work", to="keep", **options)

    @pipe.consumer
    def keep(told: tuple[int, int]) -> tuple[int, int]:
        ran.append(told)
        arrived.release()
        return told
