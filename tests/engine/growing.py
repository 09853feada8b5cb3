"""Segments grown from a description of a tree, for tests of what runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from minigun_py.placement import ContextKind, ContextSpec
from minigun_py.plan.segment import Exit, Segment
from minigun_py.plan.stage import DeclaredStage
from plan.drawing import consumer, processor, source

__all__ = ["chain", "grow"]

INLINE = ContextSpec(ContextKind.INLINE)


def grow(
    stages: Sequence[DeclaredStage],
    children: Sequence[Sequence[int]],
    exits: Sequence[Exit] | None = None,
    spec: ContextSpec = INLINE,
) -> Segment:
    """A segment of this tree; without `exits` its leaves give to the caller."""
    if exits is None:
        exits = [Exit(i, (), "broadcast") for i, below in enumerate(children) if not below]
    return Segment(tuple(stages), tuple(map(tuple, children)), tuple(exits), spec)


def chain(
    functions: Mapping[str, Callable[..., Any]],
    *,
    items: Any = None,
    ends: bool = False,
    **options: Any,
) -> Segment:
    """A chain of processors; fed by a producer of `items`, if given. `ends`: the last consumes."""
    stages: list[DeclaredStage] = [] if items is None else [source("items", items)]
    for place, (name, function) in enumerate(functions.items(), start=1):
        make = consumer if ends and place == len(functions) else processor
        stages.append(make(name, function, **options))
    below = [[n + 1] for n in range(len(stages) - 1)]
    return grow(stages, [*below, []])
