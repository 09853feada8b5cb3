"""The contract of contexts, passed by the thread kind."""

from contract.contract import DoorContract, SeamContract
from minigun_py.contexts.context import Traits
from minigun_py.placement import ContextKind

TRAITS = Traits(shares_memory=True, survives_crash=False, killable=False, pool="threads")


class TestThreadSeam(SeamContract):
    kind, traits = ContextKind.THREAD, TRAITS


class TestThreadDoor(DoorContract):
    kind, traits = ContextKind.THREAD, TRAITS
