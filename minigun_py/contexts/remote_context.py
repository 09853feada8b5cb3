"""The part that is the same for all contexts whose workers are behind socket pairs.

A kind says how its workers are started (`Crew`) and whether they have inherited their stages; the
loop, the answers and the endings are here and in `serve_loop`.

*Threads*: `open`, `serve` and `close` are for one thread, `kill` for any.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import ClassVar, Final

from minigun_py.clock import Deadline
from minigun_py.contexts.answer import Answer
from minigun_py.contexts.arena import Arena
from minigun_py.contexts.context import LeaseReceiver, Traits, not_open
from minigun_py.contexts.crew import Crew, Spawned
from minigun_py.contexts.kernel import Kernel
from minigun_py.contexts.readable import wait_readable
from minigun_py.contexts.running_items import RunningItems
from minigun_py.contexts.serve_loop import ServeLoop
from minigun_py.contexts.staff import Staff
from minigun_py.contexts.switchboard import Switchboard
from minigun_py.errors import ContextError
from minigun_py.placement import ContextSpec

__all__ = ["RemoteContext"]

CREW_EXIT_SECONDS: Final = 2.0
"""How long a crew may take to kill what is left of its workers, and end."""


class RemoteContext(ABC):
    """N workers behind socket pairs, and the loop that feeds them."""

    traits: ClassVar[Traits]

    def __init__(self) -> None:
        self._staff: Staff | None = None
        self._why_killed: str | None = None

    @abstractmethod
    def _assemble(
        self, kernel: Kernel, spec: ContextSpec, running: RunningItems, arena: Arena
    ) -> Crew:
        """Whoever starts the workers of this kind."""

    def _notes(self, workers: int) -> RunningItems:
        """Where the workers note the items that they run."""
        return RunningItems.shared(workers)

    def open(self, kernel: Kernel, spec: ContextSpec) -> None:
        """Start the workers. Raises `NotPicklable` if stages have to be sent and cannot."""
        self._kernel = kernel
        code = None if self.traits.inherits_code else _packed(kernel)
        with ExitStack() as opened:
            running = self._notes(spec.workers)
            opened.callback(running.close)
            arena = Arena.shared(spec.workers)
            opened.callback(arena.close)
            crew = self._assemble(kernel, spec, running, arena)
            opened.pop_all()
        most_leases = 1 if self.traits.one_lease_each else None
        ends = [arena.of_parent(slot) for slot in range(spec.workers)]
        self._staff = Staff(
            crew, spec.workers, running, arena, ends, code, spec.max_items, most_leases
        )
        for slot in range(spec.workers):
            self._staff.hire(slot)

    def serve(
        self,
        leases: LeaseReceiver,
        answer: Callable[[Answer], None],
        board: Switchboard | None = None,
    ) -> None:
        """Run leases, and the workers, to their end.

        Raises:
            ContextError: The workers were killed, or cannot be kept alive.
            Exception: What a setup or a teardown raised in a worker.
        """
        staff = self._staff
        if staff is None:
            raise not_open()
        if board is None:
            with closing(Switchboard()) as own:
                return self.serve(leases, answer, own)
        line = board.line()
        leases.on_ready(line.wake)
        try:
            line.serve(ServeLoop(self._kernel, staff, leases, answer, line))
        except ContextError as error:
            raise ContextError(self._why_killed or str(error)) from error

    def kill(self, why: str) -> None:
        """Kill every worker, if the kind can; `serve` raises `ContextError` with `why`."""
        staff = self._staff
        if staff is not None and self.traits.killable:
            self._why_killed = why
            staff.crew.kill_all()

    def close(self, deadline: Deadline) -> None:
        """Let idle workers end by themselves until the deadline, then kill what is left."""
        staff, self._staff = self._staff, None
        if staff is None:
            return
        for worker in staff.workers.values():
            worker.close()
        _wait_for_exits(staff, deadline)
        staff.crew.close(Deadline.after(CREW_EXIT_SECONDS))
        staff.running.close()
        for end in staff.ends:
            end.close()
        staff.arena.close()


def _wait_for_exits(staff: Staff, deadline: Deadline) -> None:
    while (staff.workers or staff.expected) and wait_readable(staff.crew, deadline.remaining()):
        told, open_ = staff.crew.receive()
        for message in told:
            if isinstance(message, Spawned):
                staff.expected -= 1
                message.socket.close()
            else:
                staff.workers.pop(message.worker, None)
        if not open_:
            return


def _packed(kernel: Kernel) -> bytes:
    from minigun_py.contexts.portable_code import pack_code  # here: most workers inherit theirs

    return pack_code(kernel)
