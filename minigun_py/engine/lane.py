"""A lane: what the orchestrator runs on a thread, a source or a worker group."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Lane"]


class Lane(Protocol):
    """One thread's share of a run. All but `run` may be called from any thread."""

    name: str

    def run(self) -> None:
        """Work until the stream ends or is cut. Raises nothing that concerns an item."""
        ...

    def drain(self) -> None:
        """Bring nothing new into the run."""
        ...

    def cut(self, reason: object) -> None:
        """Stop waiting for anything but the channels, which are aborted by now."""
        ...

    def kill(self, why: str) -> None:
        """End what can be ended by force."""
        ...
