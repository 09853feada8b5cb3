"""What a worker thread does: run leases with a bound kernel until they end."""

from __future__ import annotations

from collections.abc import Callable

from minigun_py.contexts.context import (
    Answer,
    BoundKernel,
    Done,
    Kernel,
    Lease,
    LeaseReceiver,
    Post,
)
from minigun_py.errors import EndOfChannel

__all__ = ["close_after", "work_off"]


def work_off(
    kernel: Kernel,
    number: int,
    max_items: int | None,
    leases: LeaseReceiver,
    answer: Callable[[Answer], None],
) -> None:
    """Be worker `number`: run leases until they end, with a fresh worker after `max_items`."""
    lease: Lease | None = None
    while True:
        worker = kernel.bind(post=Post(number, kernel.control))
        try:
            worker.open()
            _work_off(worker, lease, max_items, leases, answer)
        except EndOfChannel:
            worker.close()
            return
        except BaseException as error:
            close_after(error, worker)
            raise
        worker.close()
        try:
            lease = leases.receive(max_items)  # first: without it nobody needs a fresh worker
        except EndOfChannel:
            return


def close_after(error: BaseException, worker: BoundKernel) -> None:
    """Close a worker that has raised. What that raises too is told beside the first error."""
    try:
        worker.close()
    except Exception as other:
        error.add_note(f"and its end raised {type(other).__name__}: {other}")


def _work_off(
    worker: BoundKernel,
    lease: Lease | None,
    left: int | None,
    leases: LeaseReceiver,
    answer: Callable[[Answer], None],
) -> None:
    """Run leases, this one first, until the worker has had its share. Raises `EndOfChannel`."""
    while lease is not None or left is None or left > 0:
        lease = lease or leases.receive(left)
        worker.run(lease.items)
        if lease.last:
            worker.finish()
        answer(Done(lease, worker.harvest(len(lease.items))))
        if left is not None:
            left -= len(lease.items)
        lease = None
