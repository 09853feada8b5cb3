"""Every fault is tried in every kind of context."""

from __future__ import annotations

from typing import Any

import pytest

from minigun_py import Pipeline

KINDS = ("inline", "thread", "fork", "process")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of context that the processors run in."""
    return str(request.param)


@pytest.fixture
def pipe(kind: str) -> Pipeline:
    """A pipeline of that kind, two items at a time where it can, with the smallest queues."""
    options: dict[str, Any] = {} if kind == "inline" else {"workers": 2}
    return Pipeline("faulty", execution=kind, queue_size=1, **options)
