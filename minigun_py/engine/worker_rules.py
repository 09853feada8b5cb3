"""What holds for the workers of a segment, wherever they are. It crosses with the stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from minigun_py.contexts.context import Traits
from minigun_py.engine.sabotage import Deed, deeds_for
from minigun_py.errors import UsageError
from minigun_py.plan.segment import Segment
from minigun_py.record import field, record

__all__ = ["WorkerRules"]


_NOWHERE: Final[Mapping[int, int]] = {}


@record
class WorkerRules:
    """What is asked of a worker beside running its stages.

    Attributes:
        timeout: Seconds that it may be at one item.
        looks_at_time: Whether it looks at that itself, since nobody can stop it.
        renews_state: Whether it sets up its state anew before it tries an item again.
        max_rss: Bytes beyond which it is replaced, if it is a process.
        deeds: What a test has planted, by stage.
        lethal: Whether it may die of it alone.
        shares: Whether it tells what came of each of its items.
        streams: Whether what it emits leaves at once.
        forwards: The exits whose outputs may stay pickled, by their places in the segment, and
            in how many parts.
    """

    timeout: float | None = None
    looks_at_time: bool = False
    renews_state: bool = False
    max_rss: int | None = None
    deeds: Mapping[str, Sequence[Deed]] = field(default_factory=dict)
    lethal: bool = False
    shares: bool = False
    streams: bool = False
    forwards: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        segment: Segment,
        traits: Traits,
        shares: bool,
        forwards: Mapping[int, int] = _NOWHERE,
    ) -> WorkerRules:
        """What a segment asks of its workers, which are of a kind with these traits."""
        said = segment.head.options
        if segment.is_source and deeds_for(segment.head.name):
            raise UsageError(
                f"{segment.head}: a producer receives no items, so no fault can be planted in it"
            )
        return cls(
            timeout=said.timeout,
            looks_at_time=said.timeout is not None and traits.shares_memory,
            renews_state=bool(said.retry and said.retry.fresh_state and not traits.one_lease_each),
            max_rss=said.max_rss,
            deeds={name: deeds for name in segment.names if (deeds := deeds_for(name))},
            lethal=traits.survives_crash,
            shares=shares and not segment.is_source,
            streams=said.stream_outputs,
            forwards=forwards,
        )
