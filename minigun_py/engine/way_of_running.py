"""The two ways of running a plan: depth first where all is inline, else a lane for each segment.

What the other way needs is not imported, which is a third of what there is to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minigun_py.engine.ledger import Ledger
from minigun_py.engine.source_books import SourceBooks
from minigun_py.engine.verdict import Verdict
from minigun_py.plan.execution_plan import ExecutionPlan
from minigun_py.primitives.cancel import CancelToken

if TYPE_CHECKING:
    from minigun_py.engine.inline_run import InlineRun
    from minigun_py.engine.orchestrator import Orchestrator

__all__ = ["way_of_running"]


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
