"""The contract of contexts, passed by the subinterpreter kind where Python has it."""

import pytest

from contract.contract import DoorContract, SeamContract
from contract.gate import LIMIT
from minigun_py.contexts import create_context
from minigun_py.contexts.context import Traits
from minigun_py.contexts.registry import obstacle_to
from minigun_py.errors import PlanWarning
from minigun_py.placement import ContextKind

TRAITS = Traits(
    shares_memory=False,
    survives_crash=False,
    killable=False,
    inherits_code=False,
    pool="threads",
    worker="interpreter",
)

if obstacle_to(ContextKind.SUBINTERPRETER) is None:

    class TestSubinterpreterSeam(SeamContract):
        kind, traits = ContextKind.SUBINTERPRETER, TRAITS

    class TestSubinterpreterDoor(DoorContract):
        kind, traits = ContextKind.SUBINTERPRETER, TRAITS

else:

    def test_where_there_are_none_a_fork_stands_in_and_says_so() -> None:
        context = create_context("subinterpreter")
        with pytest.warns(PlanWarning, match=r"needs Python 3\.14.* so fork does"):
            context.execute(int, "5")
        assert context.join(LIMIT) == 5
