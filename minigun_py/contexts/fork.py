"""In N forked processes that live as long as the run.

They are forked by the fork server, a child that was forked when the context opened; so they have
what the program had loaded by then, and its closures, without a copy.
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

__all__ = ["ForkContext"]


class ForkContext(RemoteContext):
    """N persistent forked workers."""

    traits: ClassVar = Traits(
        shares_memory=False,
        survives_crash=True,
        killable=True,
        forks=True,
        polled=True,
        pool="processes",
        worker="forked process",
    )
    obstacle = staticmethod(obstacle_to_forking)

    def _assemble(
        self, kernel: Kernel, spec: ContextSpec, running: RunningItems, arena: Arena
    ) -> Crew:
        return forked_crew(kernel, spec, running, arena)
