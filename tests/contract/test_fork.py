"""The contract of contexts, passed by the fork kind."""

from contract.contract import DoorContract, SeamContract
from minigun_py.contexts.context import Traits
from minigun_py.placement import ContextKind

TRAITS = Traits(
    shares_memory=False,
    survives_crash=True,
    killable=True,
    forks=True,
    polled=True,
    pool="processes",
    worker="forked process",
)


class TestForkSeam(SeamContract):
    kind, traits = ContextKind.FORK, TRAITS


class TestForkDoor(DoorContract):
    kind, traits = ContextKind.FORK, TRAITS
