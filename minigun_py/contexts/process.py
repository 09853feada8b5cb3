"""In N freshly started processes, which have nothing of this program but what they are sent.

They mean the same as forked ones and are supervised the same way, by a server that is itself
freshly started. For programs that cannot be forked, and for workers that should not inherit.
"""

from __future__ import annotations

import os
from typing import ClassVar

from minigun_py.contexts.arena import Arena
from minigun_py.contexts.context import Traits
from minigun_py.contexts.crew import Crew
from minigun_py.contexts.forking import INSIDE_SUBINTERPRETER
from minigun_py.contexts.fresh_server import fresh_server
from minigun_py.contexts.kernel import Functions, Kernel
from minigun_py.contexts.remote_context import RemoteContext
from minigun_py.contexts.running_items import RunningItems
from minigun_py.placement import ContextSpec

__all__ = ["ProcessContext"]


class ProcessContext(RemoteContext):
    """N persistent fresh workers."""

    traits: ClassVar = Traits(
        shares_memory=False,
        survives_crash=True,
        killable=True,
        inherits_code=False,
        polled=True,
        pool="processes",
        worker="fresh process",
    )

    @staticmethod
    def obstacle(functions: Functions = ()) -> str | None:
        """It runs wherever socket pairs can be inherited."""
        if INSIDE_SUBINTERPRETER:
            return "a subinterpreter may start no process"
        return None if hasattr(os, "fork") else "this system has no socket pairs to inherit"

    def _assemble(
        self, kernel: Kernel, spec: ContextSpec, running: RunningItems, arena: Arena
    ) -> Crew:
        return fresh_server(running, arena, spec.workers, spec.start_method or "forkserver")
