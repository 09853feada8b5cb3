"""The fixtures of pytest that come with the library.

`virtual_clock` and `sequencer` are fresh ones. `kill_worker`, `raise_in`, `slow`, `full_queue` and
`seeded` are called as the functions of these names, and hold until the test ends. A test that uses
`no_leaks` fails if it leaves a thread, a child process or an open descriptor behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

__all__ = [
    "full_queue",
    "kill_worker",
    "no_leaks",
    "raise_in",
    "seeded",
    "sequencer",
    "slow",
    "virtual_clock",
]


@pytest.fixture
def virtual_clock() -> Any:
    """A clock that stands still until it is advanced; give it to ``run(clock=...)``."""
    from minigun_py.testing.clock import VirtualClock  # here: not every test needs the library

    return VirtualClock()


@pytest.fixture
def sequencer() -> Any:
    """Numbered steps that happen in order, whichever thread takes them."""
    from minigun_py.testing.sequencer import Sequencer

    return Sequencer()


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """Fail the test that leaves a thread, a child process or an open descriptor behind."""
    from minigun_py.testing.leaks import Snapshot

    before = Snapshot.take()
    yield
    if leaks := before.find_leaks():
        pytest.fail("left behind:\n" + "\n".join(f"  {leak}" for leak in leaks), pytrace=False)


def _until_the_end(name: str) -> Callable[[], Iterator[Callable[..., Any]]]:
    def planted() -> Iterator[Callable[..., Any]]:
        from minigun_py.testing import faults

        with ExitStack() as stack:
            yield lambda *args, **options: stack.enter_context(
                getattr(faults, name)(*args, **options)
            )

    planted.__doc__ = f"The function `{name}`; what it does holds until the test ends."
    return planted


kill_worker = pytest.fixture(_until_the_end("kill_worker"), name="kill_worker")
raise_in = pytest.fixture(_until_the_end("raise_in"), name="raise_in")
slow = pytest.fixture(_until_the_end("slow"), name="slow")
full_queue = pytest.fixture(_until_the_end("full_queue"), name="full_queue")
seeded = pytest.fixture(_until_the_end("seeded"), name="seeded")
