"""For the tests of pipelines: time that stands still, an order for threads, and faults.

Everything is a fixture of pytest as well, without an import; see `minigun_py.testing.plugin`.
"""

from minigun_py.testing.clock import VirtualClock
from minigun_py.testing.faults import EVERY, full_queue, kill_worker, raise_in, seeded, slow
from minigun_py.testing.sequencer import Sequencer

__all__ = [
    "EVERY",
    "Sequencer",
    "VirtualClock",
    "full_queue",
    "kill_worker",
    "raise_in",
    "seeded",
    "slow",
]
