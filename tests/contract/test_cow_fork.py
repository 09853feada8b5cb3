"""The contract of contexts, passed by the cow_fork kind."""

from contract.contract import DoorContract, SeamContract
from minigun_py.contexts.context import Traits
from minigun_py.placement import ContextKind

TRAITS = Traits(
    shares_memory=False,
    survives_crash=True,
    killable=True,
    forks=True,
    one_lease_each=True,
    polled=True,
    pool="processes",
    worker="forked process",
)


class TestCowForkSeam(SeamContract):
    kind, traits = ContextKind.COW_FORK, TRAITS


class TestCowForkDoor(DoorContract):
    kind, traits = ContextKind.COW_FORK, TRAITS
