"""Which way an inline run goes: as a chain of iterators where it is one, else depth first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from minigun_py.engine.depth_first import DepthFirstRun
from minigun_py.engine.ledger import Ledger
from minigun_py.engine.verdict import Verdict
from minigun_py.plan.segment import Segment
from minigun_py.primitives.cancel import CancelToken

if TYPE_CHECKING:
    from minigun_py.engine.chain_run import ChainRun
    from minigun_py.engine.source_books import SourceBooks

__all__ = ["InlineRun", "inline_run"]

InlineRun: TypeAlias = "DepthFirstRun | ChainRun"
"""Either way of running without channels."""


def inline_run(
    segments: Sequence[Segment],
    ledger: Ledger,
    verdict: Verdict,
    token: CancelToken,
    outputs_wanted: bool,
    books: SourceBooks | None = None,
) -> InlineRun:
    """One inline run."""
    if books is None and any(segment.head.pulls for segment in segments):
        from minigun_py.engine.chain_run import ChainRun, chain_of  # here: few runs are one

        chain = chain_of(segments, verdict)
        if chain:
            run = ChainRun(chain, ledger, verdict, token, outputs_wanted)
            if run.may_run:
                return run
    return DepthFirstRun(segments, ledger, verdict, token, outputs_wanted, books)
