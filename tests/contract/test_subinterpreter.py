"""The contract of contexts, passed by the subinterpreter kind where Python has it."""

import os
import threading

import pytest

from contract.contract import DoorContract, SeamContract
from contract.functions import double
from contract.gate import LIMIT
from contract.kernels import ChainKernel
from minigun_py.clock import Deadline
from minigun_py.contexts import create_context, subinterpreter
from minigun_py.contexts.context import Traits
from minigun_py.contexts.registry import obstacle_to
from minigun_py.errors import PlanWarning
from minigun_py.placement import ContextKind

TRAITS = Traits(
    shares_memory=False,
    survives_crash=False,
    killable=False,
    inherits_code=False,
    polled=True,
    pool="threads",
    worker="interpreter",
)

if obstacle_to(ContextKind.SUBINTERPRETER) is None:

    class TestSubinterpreterSeam(SeamContract):
        kind, traits = ContextKind.SUBINTERPRETER, TRAITS

        def test_one_that_is_still_beginning_is_not_taken_for_stuck(
            self, monkeypatch: pytest.MonkeyPatch
        ) -> None:
            begin, let_begin = os.pipe()

            class WaitedFor(threading.Event):
                """Lets the interpreter begin when somebody waits for that."""

                def wait(self, timeout: float | None = None) -> bool:
                    os.write(let_begin, b"!")
                    return super().wait(timeout)

            text = f"import os\nos.read({begin}, 1)\n{subinterpreter._BEGIN}"
            monkeypatch.setattr(subinterpreter, "_BEGIN", text)
            monkeypatch.setattr(subinterpreter, "HasBegun", WaitedFor)
            context = self._opened(ChainKernel(double=double), 1)
            context.close(Deadline.after(0.0))
            for end in (begin, let_begin):
                os.close(end)

    class TestSubinterpreterDoor(DoorContract):
        kind, traits = ContextKind.SUBINTERPRETER, TRAITS

else:

    def test_where_there_are_none_a_fork_stands_in_and_says_so() -> None:
        context = create_context("subinterpreter")
        with pytest.warns(PlanWarning, match=r"needs Python 3\.14.* so fork does"):
            context.execute(int, "5")
        assert context.join(LIMIT) == 5
