"""The contract of contexts, passed by the process kind."""

from contract.contract import DoorContract, SeamContract
from minigun_py.contexts.context import Traits
from minigun_py.placement import ContextKind

TRAITS = Traits(
    shares_memory=False,
    survives_crash=True,
    killable=True,
    inherits_code=False,
    polled=True,
    pool="processes",
    worker="fresh process",
)


class TestProcessSeam(SeamContract):
    kind, traits = ContextKind.PROCESS, TRAITS


class TestProcessDoor(DoorContract):
    kind, traits = ContextKind.PROCESS, TRAITS
