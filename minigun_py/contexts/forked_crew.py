"""Workers that a fork server forks from a copy of this process, stages and loaded data included."""

from __future__ import annotations

import socket

from minigun_py.contexts.arena import Arena
from minigun_py.contexts.fork_server import ForkServer, fork_server
from minigun_py.contexts.kernel import Kernel
from minigun_py.contexts.running_items import RunningItems
from minigun_py.contexts.worker_loop import work
from minigun_py.contexts.worker_process import prepare_process
from minigun_py.placement import ContextSpec

__all__ = ["forked_crew"]


def forked_crew(
    kernel: Kernel, spec: ContextSpec, running: RunningItems, arena: Arena
) -> ForkServer:
    """The fork server for the workers of a context."""

    def run_worker(sock: socket.socket, slot: int) -> None:
        work(sock, kernel, running, arena, slot)

    return fork_server(run_worker, lambda: prepare_process(spec.workers))
