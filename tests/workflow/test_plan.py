"""A plan tells what a run would do, and does nothing."""

from __future__ import annotations

import pytest

from minigun_py import GPU, HEAVY_CPU, HEAVY_IO, LIGHT_CPU, Memory, UsageError, Workflow


def nightly() -> Workflow:
    wf = Workflow("nightly", limits={"api": 2})
    wf.step(lambda day: ["a"], name="pages", resources=HEAVY_IO, limits="api")
    wf.step(lambda page: page, name="parsed", each={"page": "pages"}, execution="fork")
    wf.step(lambda parsed: 1, name="report", when=lambda: True)
    wf.step(lambda report=None: report, name="mail", timeout=3)
    wf.step(lambda: 1, name="other", resources=[HEAVY_CPU, Memory("1GB"), GPU(1)])
    wf.step(lambda: 1, name="light", resources=LIGHT_CPU)
    return wf


def test_it_says_where_each_step_would_run_and_why() -> None:
    plan = nightly().plan(memory="2GB")
    told = {step.name: step for step in plan.steps}
    assert list(told)[:2] == ["pages", "parsed"]
    pages = told["pages"]
    assert (pages.execution, pages.after) == ("thread", ())
    assert pages.needs == {"I/O slots": 1, "api": 1}
    assert "HEAVY_IO" in pages.reason
    assert told["parsed"].after == ("pages",)
    assert told["parsed"].reason == "it asks for fork itself"
    assert told["mail"].execution == "fork"
    assert told["mail"].reason == "it has a time limit, and a process can be stopped"
    assert told["other"].needs["bytes of memory"] == 1_000_000_000
    assert told["other"].needs["GPUs"] == 1
    assert told["light"].execution == "thread"
    assert plan.critical_path == ("pages", "parsed", "report", "mail")
    assert [step.urgency for step in plan.steps][:4] == [4.0, 3.0, 2.0, 1.0]
    assert plan.layers == (("pages", "other", "light"), ("parsed",), ("report",), ("mail",))
    text = str(plan)
    assert "pages:\n  where  thread\n" in text
    assert "longest path: pages -> parsed -> report -> mail" in text


def test_it_tells_of_steps_that_run_one_after_the_other() -> None:
    wf = nightly()
    wf.step(lambda: 1, name="greedy", limits={"api": 3})
    for sequential in (True, False):
        with pytest.raises(UsageError, match="it needs 3 api"):
            wf.plan(sequential=sequential)
    plan = nightly().dry_run(inputs={"day": 1}, sequential=True)
    assert {step.execution for step in plan.steps} == {"inline"}
    light = Workflow("light")
    light.step(lambda: 1, name="one", resources=LIGHT_CPU)
    assert light.plan().steps[0].reason == "steps run one after the other"


def test_a_workflow_without_steps_has_a_plan() -> None:
    assert str(Workflow("none").plan()) == ""


def test_it_can_be_drawn() -> None:
    assert nightly().to_mermaid() == "\n".join(
        [
            "flowchart TD",
            '    s0["pages"]',
            '    s1[["parsed"]]',
            '    s2{"report"}',
            '    s3["mail"]',
            '    s4["other"]',
            '    s5["light"]',
            "    s0 -- each --> s1",
            "    s1 --> s2",
            "    s2 -.-> s3",
        ]
    )


def test_a_dry_run_checks_what_a_run_would_and_does_nothing() -> None:
    wf, ran = Workflow("wf"), list[int]()
    wf.step(lambda day: ran.append(day), name="today", when=lambda day: not ran.append(day))
    plan = wf.dry_run(inputs={"day": 1})
    assert [step.name for step in plan.steps] == ["today"]
    with pytest.raises(UsageError, match="no input of that name is given"):
        wf.dry_run()
    assert ran == []
    assert repr(wf) == "<Workflow 'wf', 1 steps>"
