"""What the caller of a run asked for, checked by then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from minigun_py.clock import SYSTEM_CLOCK, Clock
from minigun_py.engine.checkpoint import Checkpoint
from minigun_py.engine.failure import Policy
from minigun_py.engine.onlooker import View
from minigun_py.events import Observer
from minigun_py.primitives.cancel import CancelToken
from minigun_py.record import field, record

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["RunSettings"]


@record
class RunSettings:
    """What the caller of a run asked for."""

    cancel: CancelToken | None = None
    timeout: float | None = None
    policies: Mapping[str, Policy] = field(default_factory=dict)
    observers: Sequence[Observer] = ()
    capsules: Path | None = None
    checkpoint: Checkpoint | None = None
    view: View | None = None
    clock: Clock = SYSTEM_CLOCK
