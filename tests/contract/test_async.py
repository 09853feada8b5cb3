"""The contract of contexts, passed by the async kind."""

from contract.contract import DoorContract, SeamContract
from minigun_py.contexts.context import Traits
from minigun_py.placement import ContextKind

TRAITS = Traits(
    shares_memory=True,
    survives_crash=False,
    killable=True,
    runs_coroutines=True,
    recycles=False,
    worker="coroutine",
)


class TestAsyncSeam(SeamContract):
    kind, traits = ContextKind.ASYNC, TRAITS


class TestAsyncDoor(DoorContract):
    kind, traits = ContextKind.ASYNC, TRAITS
