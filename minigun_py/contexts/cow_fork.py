"""In a forked process for every lease, at most N at once.

As `fork`, but a worker runs one lease, which is one item unless the stage says ``chunk=``, and
ends; the next one is a fresh copy of the fork server. What an item leaks, breaks or leaves loaded
is gone with it.
"""

from __future__ import annotations

from typing import ClassVar

from minigun_py.contexts.arena import Arena
from minigun_py.contexts.context import Traits
from minigun_py.contexts.crew import Crew
from minigun_py.contexts.forked_crew import forked_crew
from minigun_py.contexts.forking import obstacle_to_forking
from minigun_py.contexts.kernel import Kernel
from minigun_py.contexts.remote_context import RemoteContext
from minigun_py.contexts.running_items import RunningItems
from minigun_py.placement import ContextSpec

__all__ = ["CowForkContext"]


class CowForkContext(RemoteContext):
    """A forked worker for every lease."""

    traits: ClassVar = Traits(
        shares_memory=False,
        survives_crash=True,
        killable=True,
        forks=True,
        one_lease_each=True,
        polled=True,
        pool="processes",
        worker="forked process",
    )
    obstacle = staticmethod(obstacle_to_forking)

    def _assemble(
        self, kernel: Kernel, spec: ContextSpec, running: RunningItems, arena: Arena
    ) -> Crew:
        return forked_crew(kernel, spec, running, arena)
