"""What a worker thread does: run leases with one bound kernel until they end."""

from __future__ import annotations

from collections.abc import Callable

from minigun_py.contexts.context import Answer, BoundKernel, Done, LeaseReceiver
from minigun_py.errors import EndOfChannel

__all__ = ["work_off"]


def work_off(worker: BoundKernel, leases: LeaseReceiver, answer: Callable[[Answer], None]) -> None:
    """Run leases with one bound kernel until they end."""
    while True:
        try:
            lease = leases.receive()
        except EndOfChannel:
            return
        worker.run(lease.items)
        if lease.last:
            worker.finish()
        answer(Done(lease, worker.harvest(len(lease.items))))
