"""Every fault is tried in every kind of context that this machine has."""

from __future__ import annotations

import sys
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a GIL, Python returns nothing of an interpreter that has ended: about 20 MB each.

    A process of some gigabytes forks slowly, so what makes interpreters comes last there.
    """
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        items.sort(key=lambda item: "interpreter" in item.nodeid)
