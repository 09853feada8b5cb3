"""Taking what an inline run gives."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import Any

from minigun_py.engine.depth_first import DepthFirstRun

__all__ = ["one_by_one"]


def one_by_one(run: DepthFirstRun) -> Generator[Any, None, None]:
    """The outputs; no item is drawn before those of the items before it have been taken."""
    with closing(run.outputs(lazily=True)) as given:
        for outputs in given:
            yield from outputs
