"""The contract of contexts, passed by the subinterpreter kind."""

from contract.contract import DoorContract, SeamContract
from minigun_py.contexts.context import Traits
from minigun_py.placement import ContextKind

TRAITS = Traits(shares_memory=False, survives_crash=False, killable=False, inherits_code=False)


class TestSubinterpreterSeam(SeamContract):
    kind, traits = ContextKind.SUBINTERPRETER, TRAITS


class TestSubinterpreterDoor(DoorContract):
    kind, traits = ContextKind.SUBINTERPRETER, TRAITS
