"""Every fault is tried in every kind of context that this machine has."""

from __future__ import annotations

from typing import Any

import pytest

from faults.kinds import KINDS, AnyPipeline, has_several_workers


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of context that the processors run in."""
    return str(request.param)


@pytest.fixture
def pipe(kind: str) -> AnyPipeline:
    """A pipeline of that kind, two items at a time where it can, with the smallest queues."""
    options: dict[str, Any] = {"workers": 2} if has_several_workers(kind) else {}
    return AnyPipeline("faulty", kind, queue_size=1, **options)
