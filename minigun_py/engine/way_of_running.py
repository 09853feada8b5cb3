"""The two ways of running a plan: depth first where all is inline, else a lane for each segment.

What the other way needs is not imported, which is a third of what there is to import; nor is what
keeps books of the sources, where nobody wants to know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from minigun_py.clock import Clock
from minigun_py.engine.ledger import Ledger
from minigun_py.engine.verdict import Verdict
from minigun_py.plan.execution_plan import ExecutionPlan
from minigun_py.primitives.cancel import CancelToken

if TYPE_CHECKING:
    from minigun_py.engine.checkpoint import Checkpoint
    from minigun_py.engine.inline_run import InlineRun
    from minigun_py.engine.orchestrator import Orchestrator
    from minigun_py.engine.source_books import SourceBooks

__all__ = ["books_of", "way_of_running"]


def way_of_running(
    plan: ExecutionPlan,
    ledger: Ledger,
    verdict: Verdict,
    token: CancelToken,
    outputs_wanted: bool,
    books: SourceBooks | None,
) -> tuple[InlineRun | None, Orchestrator | None]:
    """One of the two, ready to begin."""
    parts = (plan.segments, ledger, verdict, token, outputs_wanted, books)
    if plan.all_inline:
        from minigun_py.engine.inline_run import inline_run

        return inline_run(*parts), None
    from minigun_py.engine.orchestrator import Orchestrator

    return None, Orchestrator(*parts)


def books_of(
    plan: ExecutionPlan,
    checkpoint: Checkpoint | None,
    pipeline: str,
    clock: Clock,
    fail: Callable[[Exception], None],
) -> SourceBooks | None:
    """The books of its sources, if anybody wants to know; raises what keeps them from being right.

    Args:
        plan: What is to be run.
        checkpoint: Where finished items are kept, if anywhere.
        pipeline: The name of the pipeline.
        clock: The clock of the run.
        fail: Is told of an error that ends the run.
    """
    options = {name: stage.options for name, stage in plan.graph.stages.items()}
    acks = {name: said.ack for name, said in options.items() if said.ack is not None}
    if checkpoint is None and not acks:
        return None
    from minigun_py.engine.source_books import SourceBooks, check_traceable

    for segment in plan.segments:
        check_traceable(segment)
    return SourceBooks(checkpoint, acks, pipeline, clock, fail)
