"""The contract of contexts, passed by the inline kind."""

from contract.contract import DoorContract, SeamContract
from minigun_py.contexts.context import Traits
from minigun_py.placement import ContextKind

TRAITS = Traits(shares_memory=True, survives_crash=False, killable=False, worker="caller")


class TestInlineSeam(SeamContract):
    kind, traits = ContextKind.INLINE, TRAITS
    workers = 1


class TestInlineDoor(DoorContract):
    kind, traits = ContextKind.INLINE, TRAITS
    beside_caller = False
