"""A fork server in a freshly started interpreter: it has nothing of this program but its path.

`multiprocess` starts the interpreter (``spawnv_passfds``, which is safe beside threads). It is
handed an end of a socket pair and the shared memory, all by inheritance: nothing
listens anywhere, and ``__main__`` is not imported again.

With the start method ``forkserver`` its workers are forked from it; with ``spawn`` each forked
worker becomes an interpreter of its own at once. Either way it is their parent and reaps them.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Final

from multiprocess import spawn, util

from minigun_py.contexts.arena import Arena
from minigun_py.contexts.fork_server import ForkServer
from minigun_py.contexts.portable_code import import_path
from minigun_py.contexts.running_items import RunningItems
from minigun_py.contexts.server_loop import ServerLoop
from minigun_py.contexts.worker_loop import work
from minigun_py.contexts.worker_process import prepare_process
from minigun_py.placement import StartMethod

__all__ = ["fresh_server"]

_PROGRAM: Final = (
    "import json, sys; given = json.loads(sys.argv[1]); sys.path[:] = given['path']; "
    "from minigun_py.contexts import fresh_server; fresh_server.{}(**given)"
)


def fresh_server(
    running: RunningItems, arena: Arena, workers: int, method: StartMethod
) -> ForkServer:
    """Start an interpreter that starts `workers` workers, each by this method."""
    ours, theirs = socket.socketpair()
    given = {
        "path": import_path(),
        "sock": theirs.fileno(),
        "notes": running.fileno(),
        "arena": arena.fileno(),
        "workers": workers,
        "parent": os.getpid(),
        "method": method,
    }
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:  # the mask is inherited: Ctrl-C is for the parent alone, from the first moment
        inherited = [theirs.fileno(), running.fileno(), arena.fileno()]
        pid = util.spawnv_passfds(spawn.get_executable(), _command("serve", given), inherited)
    except BaseException:
        ours.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        theirs.close()
    return ForkServer(pid, ours)


def serve(
    path: list[str],
    sock: int,
    notes: int,
    arena: int,
    workers: int,
    parent: int,
    method: StartMethod,
) -> None:
    """In the new interpreter: be a fork server until the parent goes."""
    running = RunningItems.attached(notes)

    def run_worker(worker: socket.socket, slot: int) -> None:
        if method == "spawn":
            given = {"path": path, "notes": notes, "arena": arena, "workers": workers, "slot": slot}
            _become("run", given, worker, notes, arena)
        work(worker, None, running, Arena(arena), slot)

    prepare_process(workers)
    with socket.socket(fileno=sock) as ours:
        ServerLoop(ours, ctypes.CDLL(None), run_worker, parent).run()


def run(path: list[str], sock: int, notes: int, arena: int, workers: int, slot: int) -> None:
    """In an interpreter of its own: be a worker until the socket ends."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    prepare_process(workers)
    with socket.socket(fileno=sock) as ours:
        work(ours, None, RunningItems.attached(notes), Arena(arena), slot)


def _become(entry: str, given: Mapping[str, object], worker: socket.socket, *memory: int) -> None:
    """Go on as a new interpreter. It dies with the server, as asked before."""
    for descriptor in (worker.fileno(), *memory):
        os.set_inheritable(descriptor, True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # until the interpreter has come up
    command = _command(entry, {**given, "sock": worker.fileno()})
    os.execv(command[0], command)


def _command(entry: str, given: Mapping[str, object]) -> list[str]:
    executable = os.fsdecode(spawn.get_executable() or sys.executable)
    flags = util._args_from_interpreter_flags()  # noqa: SLF001 - as multiprocess itself does
    return [executable, *flags, "-c", _PROGRAM.format(entry), json.dumps(given)]
