"""Whether a step runs at all: its condition holds, and no value of an earlier run is as good."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from minigun_py.errors import CheckpointError
from minigun_py.workflow.fingerprint import code_print, value_print
from minigun_py.workflow.piece import Piece
from minigun_py.workflow.result import StepResult
from minigun_py.workflow.result_store import KeptResult, ResultStore
from minigun_py.workflow.step import Step

__all__ = ["RunGate"]

Known = tuple[str, dict[str, str]]
"""By which a call is known again: its code, and its arguments by name."""


class RunGate:
    """The gate of one run.

    Args:
        checkpoint: Keeps the results of all steps, if there is one.
        cache: Keeps the results of the steps that say `cache=True`, if any does.
    """

    def __init__(self, checkpoint: ResultStore | None, cache: ResultStore | None) -> None:
        self._checkpoint, self._cache = checkpoint, cache
        self._codes: dict[str, str] = {}

    def closed_to(self, step: Step, arguments: Mapping[str, Any]) -> str | None:
        """Why the condition of a step does not hold. Raises what the condition raises."""
        when = step.options.when
        if when is None or when(**arguments):
            return None
        return f"its condition {getattr(when, '__name__', repr(when))} does not hold"

    def kept(self, piece: Piece) -> tuple[Any] | None:
        """The value of an earlier run with the same code and the same arguments."""
        stores = self._stores(piece.step)
        if not stores:
            return None
        known = self._known(piece)
        if isinstance(known, str):
            piece.why = known
            return None
        piece.kept_as = known
        try:
            return self._found(piece, known, stores)
        except CheckpointError as error:
            piece.why = str(error)
            return None

    def _found(
        self, piece: Piece, known: Known, stores: Sequence[ResultStore]
    ) -> tuple[Any] | None:
        for store in stores:
            found = store.find(piece.step.name, *known)
            if found is not None:
                try:
                    return (pickle.loads(found.value),)
                except Exception as error:
                    piece.why = f"the value that was kept cannot be read: {error!r}"
        piece.why = piece.why or _difference(stores[0].newest(piece.step.name), known)
        return None

    def keep(self, piece: Piece, result: StepResult) -> None:
        """A piece has completed: keep its value where that is wanted."""
        known: Known | None = piece.kept_as
        if known is None:
            return
        code, inputs = known
        try:
            value = pickle.dumps(result.value, protocol=5)
            for store in self._stores(piece.step):
                store.keep(piece.step.name, KeptResult(code, inputs, value, result.duration))
        except Exception as error:
            text = f"the result of step {piece.name!r} cannot be kept, so it runs again: {error}"
            warnings.warn(text, RuntimeWarning, stacklevel=2)

    def _stores(self, step: Step) -> Sequence[ResultStore]:
        cache = self._cache if step.options.cache else None
        return [store for store in (self._checkpoint, cache) if store is not None]

    def _known(self, piece: Piece) -> Known | str:
        """By which this call is known again, or why it is not."""
        step = piece.step
        if step.name not in self._codes:
            self._codes[step.name] = code_print(step.function)
        prints: dict[str, str] = {}
        for name, value in piece.arguments.items():
            seen = value_print(value)
            if seen is None:
                return f"what it gets as {name!r} cannot be pickled, so nobody can tell it again"
            prints[name] = seen
        return self._codes[step.name], prints


def _difference(before: KeptResult | None, known: Known) -> str:
    """Why what was kept before does not do."""
    if before is None:
        return "no result of it was kept"
    code, prints = known
    if before.code != code:
        return "its code has changed"
    changed = [name for name in prints if prints[name] != before.inputs.get(name)]
    gone = [name for name in before.inputs if name not in prints]
    return "what it gets has changed: " + ", ".join(map(repr, changed + gone))
