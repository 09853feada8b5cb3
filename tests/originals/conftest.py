"""What the acceptance tests share. With ``HYPOTHESIS_PROFILE=soak`` each is run 20 times."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from contract.gate import Gate, open_gate
from originals.kinds import SOAK

REPEATS = 20 if SOAK else 1


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test as often as is asked for."""
    if REPEATS > 1:
        metafunc.fixturenames.append("repeat")
        metafunc.parametrize("repeat", range(REPEATS))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a GIL, Python returns nothing of an interpreter that has ended: about 20 MB each.

    A process of some gigabytes forks slowly, so what makes interpreters comes last there.
    """
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        items.sort(key=lambda item: "interpreter" in item.nodeid)


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Where workers of any kind wait until the test lets them go on."""
    with open_gate() as gate:
        yield gate
