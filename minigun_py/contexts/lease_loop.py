"""What a worker thread does: run leases with one bound kernel until they end."""

from __future__ import annotations

from collections.abc import Callable

from minigun_py.contexts.context import Answer, BoundKernel, Done, Kernel, LeaseReceiver, Post
from minigun_py.errors import EndOfChannel

__all__ = ["work_off"]


def work_off(
    kernel: Kernel,
    number: int,
    max_items: int | None,
    leases: LeaseReceiver,
    answer: Callable[[Answer], None],
) -> None:
    """Be worker `number`: run leases until they end, with a fresh worker after `max_items`."""
    more = True
    while more:
        worker = kernel.bind(post=Post(number, kernel.control))
        try:
            worker.open()
            more = _work_off(worker, max_items, leases, answer)
        finally:
            worker.close()


def _work_off(
    worker: BoundKernel,
    left: int | None,
    leases: LeaseReceiver,
    answer: Callable[[Answer], None],
) -> bool:
    """Whether there may be more leases, for another worker."""
    while left is None or left > 0:
        try:
            lease = leases.receive(left)
        except EndOfChannel:
            return False
        worker.run(lease.items)
        if lease.last:
            worker.finish()
        answer(Done(lease, worker.harvest(len(lease.items))))
        if left is not None:
            left -= len(lease.items)
    return True
