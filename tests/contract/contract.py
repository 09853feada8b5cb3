"""One suite that every kind of context passes: what the engine needs and what a user sees.

A test file of a kind names the kind and its traits, and inherits everything else::

    class TestThreadSeam(SeamContract):
        kind, traits = ContextKind.THREAD, Traits(...)
"""

from contract.door import DoorContract
from contract.seam import SeamContract

__all__ = ["DoorContract", "SeamContract"]
