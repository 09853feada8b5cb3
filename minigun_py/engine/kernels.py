"""Which kernel runs a segment: one of functions, or one that holds items."""

from __future__ import annotations

from minigun_py.contexts.context import Control
from minigun_py.contexts.registry import traits_of
from minigun_py.engine.batch_kernel import BatchKernel
from minigun_py.engine.kernel import SegmentKernel
from minigun_py.engine.verdict import Verdict
from minigun_py.plan.segment import Segment
from minigun_py.plan.stage import Accumulator

__all__ = ["kernel_for"]


def kernel_for(
    segment: Segment, outputs_wanted: bool, verdict: Verdict, control: Control
) -> SegmentKernel | BatchKernel:
    """The kernel of a segment. Outputs that nobody wants are counted and not kept."""
    wanted = [n for n, way_out in enumerate(segment.exits) if way_out.targets or outputs_wanted]
    if isinstance(segment.head, Accumulator):
        return BatchKernel(segment.head, wanted=bool(wanted), clock=verdict.clock)
    awaits = traits_of(segment.spec.kind).runs_coroutines
    return SegmentKernel(segment, wanted, verdict.policies, verdict.clock, control, awaits)
