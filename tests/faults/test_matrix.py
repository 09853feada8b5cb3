"""Every fault in every kind of context under every policy: no hang, no loss, no orphan."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack

import pytest

from contract.gate import LIMIT
from faults.kinds import kinds_with
from faults.matrix import POLICIES, SOAKING, Fault, faults_for
from faults.session import Program, start
from faults.strikes import BAD, BAD_AT_FIRST, ITEMS

TIMES = 50 if SOAKING else 1
SLOW_TO_START = kinds_with("not shares_memory", "not inherits_code")
"""Kinds whose runs take long to begin: there `fail` is tried by `test_item_faults` alone."""

ALL = f"{ITEMS} results, lost nothing, 0 tried again"
INTERRUPTED = "failed since stage 'work' raised KeyboardInterrupt"

WHATEVER_THE_POLICY = {
    "nothing": ALL,
    "worker": INTERRUPTED,
    "run": "failed since the disk is full",
    "refused": "UsageError",
    "caller": "KeyboardInterrupt",
}
AN_ITEM = {
    "fail": f"failed, lost {BAD} after 1",
    "skip": f"{ITEMS - 1} results, lost {BAD} after 1, 0 tried again",
    "retry": f"{ITEMS - 1} results, lost {BAD} after 2, 2 tried again",
}
AN_ITEM_FOR_GOOD = AN_ITEM | {
    "retry": f"{ITEMS - 2} results, lost {BAD} after 1 and {BAD_AT_FIRST} after 1, 0 tried again"
}


@pytest.mark.timeout(0 if SOAKING else 5 * LIMIT)  # for some eighty runs, each with its own
@pytest.mark.parametrize("time", range(TIMES))
def test_a_fault_costs_what_the_policy_says_and_leaves_no_process(kind: str, time: int) -> None:
    with ExitStack() as stack:
        policies = [p for p in POLICIES if SOAKING or p != "fail" or kind not in SLOW_TO_START]
        programs = {policy: stack.enter_context(going_through(kind, policy)) for policy in policies}
        for policy, program in programs.items():
            for fault in faults_for(kind, policy):
                said = program.hear(within=2 * LIMIT)
                assert said == f"{fault.name}: {expected(fault, policy)}, 0 left", (kind, policy)
            assert program.wait() == 0
            assert program.members() == []


def going_through(kind: str, policy: str) -> AbstractContextManager[Program]:
    return start(f"from faults.matrix import go_through\ngo_through({kind!r}, {policy!r})")


def expected(fault: Fault, policy: str) -> str:
    if fault.price == "item":
        return AN_ITEM[policy]
    if fault.price == "item for good":
        return AN_ITEM_FOR_GOOD[policy]
    return WHATEVER_THE_POLICY[fault.price]
