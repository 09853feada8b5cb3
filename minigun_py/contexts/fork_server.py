"""The fork server: a single-threaded child that forks every worker of a context.

It is forked when a context opens, before the run has threads, so it inherits the user's closures
and loaded data, and a parent that has threads by then never forks again. It makes a socket pair
for each worker, hands the parent's end over, and is the workers' parent: it reaps them and says
what they died of.

::

    parent                    fork server                   worker
      │ ── SPAWN slot ──────────> │ ── fork ─────────────────> │
      │ <── SPAWNED slot pid, fd ─│                            │
      │ <════════ a private socket pair, frames ═════════════> │
      │ <── EXITED pid status ─── │ <── wait4 ───────────────  ✝

*Invariants*: nothing is shared between workers. A worker dies with the fork server (it asks for a
parent-death signal, which is safe because the fork server has one thread), and the fork server
ends with the parent (it watches its socket and its parent's process descriptor). So no worker
outlives the parent, whatever kills it. Signals are blocked around every fork.

*Threads*: the parent side is used by one thread at a time, but for `kill_all`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
from collections.abc import Callable

from minigun_py.clock import Deadline
from minigun_py.contexts.crew import Exited, Spawned
from minigun_py.contexts.forking import fork
from minigun_py.contexts.readable import wait_readable
from minigun_py.contexts.server_loop import (
    KILL,
    MESSAGE,
    SPAWN,
    SPAWNED,
    RunWorker,
    ServerLoop,
)
from minigun_py.errors import ContextError

__all__ = ["ForkServer", "fork_server"]


def fork_server(run_worker: RunWorker, prepare: Callable[[], None] = lambda: None) -> ForkServer:
    """Fork a server from this process.

    Args:
        run_worker: Called in a forked worker, with its end of a socket pair and its slot.
        prepare: Called in the server, once for all its workers.
    """
    libc = ctypes.CDLL(None, use_errno=True)  # loaded here: a child should not have to
    ours, theirs = socket.socketpair()
    parent = os.getpid()

    def serve() -> None:
        ours.close()
        prepare()
        ServerLoop(theirs, libc, run_worker, parent).run()

    try:
        pid = fork(serve)
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return ForkServer(pid, ours)


class ForkServer:
    """The parent's side: a `Crew`."""

    def __init__(self, pid: int, sock: socket.socket) -> None:
        """Take over the server of this process number, behind this end of a pair."""
        self._pid, self._socket = pid, sock
        self._socket.setblocking(False)
        self._ended = False

    def fileno(self) -> int:
        """Readable when `receive` has something to tell."""
        return self._socket.fileno()

    def spawn(self, slot: int) -> None:
        """Ask for a worker. `Spawned` follows."""
        self._send(SPAWN, slot)

    def kill(self, worker: int) -> None:
        """Kill a worker. `Exited` follows, unless it had ended."""
        self._send(KILL, worker)

    def kill_all(self) -> None:
        """Kill the fork server, and with it every worker. From any thread."""
        if not self._ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def receive(self) -> tuple[list[Spawned | Exited], bool]:
        """What it has told since the last call, and whether it is still there."""
        told: list[Spawned | Exited] = []
        while True:
            try:
                message, fds, _, _ = socket.recv_fds(self._socket, MESSAGE.size, 1)
            except BlockingIOError:
                return told, True
            except ConnectionResetError:
                return told, False
            if not message:
                return told, False
            kind, number, status, peak_bytes = MESSAGE.unpack(message)
            if kind == SPAWNED:
                told.append(Spawned(status, number, socket.socket(fileno=fds[0])))
            else:
                told.append(Exited(number, status, peak_bytes))

    def close(self, deadline: Deadline) -> None:
        """End it. Workers that are still alive are killed; it is killed itself at the deadline."""
        with self._socket, contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            if not self._has_ended(deadline):
                self.kill_all()
        self._ended = True  # first: once it is reaped, its number may be somebody else's
        os.waitpid(self._pid, 0)

    def _has_ended(self, deadline: Deadline) -> bool:
        """Wait for the other end to close, which is the last that a process does."""
        while True:
            if not wait_readable(self._socket, deadline.remaining()):
                return False
            told, open_ = self.receive()
            for message in told:
                if isinstance(message, Spawned):
                    message.socket.close()
            if not open_:
                return True

    def _send(self, kind: bytes, number: int) -> None:
        try:
            self._socket.sendall(MESSAGE.pack(kind, number, 0, 0))
        except OSError as error:
            raise ContextError(f"the fork server is gone: {error}") from error
