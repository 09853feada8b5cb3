"""What a loop listens to: its workers, and whoever starts them.

A worker is also asked whether its socket takes more, while something is pending for it.

*Threads*: it belongs to the loop.
"""

from __future__ import annotations

import select

from minigun_py.contexts.remote_worker import RemoteWorker
from minigun_py.contexts.switchboard import Line

__all__ = ["Ears"]


class Ears:
    """The descriptors that are heard, and who is behind them.

    Args:
        line: Hears them.
        crew: The descriptor of whoever starts workers.
    """

    def __init__(self, line: Line, crew: int) -> None:
        self._line, self.crew = line, crew
        self.workers: dict[int, RemoteWorker] = {}
        """By descriptor, those that are heard."""
        self._listens = True
        line.listen(crew, select.POLLIN)

    def add(self, worker: RemoteWorker) -> None:
        """Listen to a worker, too."""
        self.workers[worker.socket.fileno()] = worker
        self._register(worker)

    def remove(self, worker: RemoteWorker) -> None:
        """Listen to it no more."""
        self._line.forget(worker.socket.fileno())
        del self.workers[worker.socket.fileno()]

    def note_pending(self, worker: RemoteWorker) -> None:
        """Hear when its socket takes more, if something is pending for it."""
        if worker.writer.pending != bool(worker.events & select.POLLOUT) and not worker.gone:
            self._register(worker)

    def listen_to_all(self, listens: bool) -> None:
        """Take in what workers say, or leave it where it is for now."""
        if listens != self._listens:
            self._listens = listens
            for worker in self.workers.values():
                self._register(worker)

    def _register(self, worker: RemoteWorker) -> None:
        events = select.POLLIN if self._listens else 0
        worker.events = events | (select.POLLOUT if worker.writer.pending else 0)
        self._line.listen(worker.socket.fileno(), worker.events)
