# pyright: strict
"""What the doors give, and that nothing is there which is not."""

from collections.abc import Iterator
from typing import Any, assert_type

import minigun_py
from minigun_py import Job, Pipeline, Run, RunReport, Stage
from minigun_py.engine.awaiting import AsyncStream
from minigun_py.plan.execution_plan import ExecutionPlan
from minigun_py.plan.stage import DeclaredStage


class Total(Stage):
    def process(self, item: int) -> int:
        return item


class Sub(Pipeline): ...


class Work(Job): ...


pipe = Pipeline("doors")
pipe.procesor(len, name="length")  # error
minigun_py.pmpa(len, [])  # error
assert_type(minigun_py.pmap(len, ["a"]), Iterator[int])

assert_type(pipe.run(), RunReport)
assert_type(pipe.run([1, 2], execution="inline"), RunReport)
assert_type(pipe.collect(), list[Any])
assert_type(pipe.start(), Run)


async def awaiting() -> None:
    assert_type(await pipe.arun(), RunReport)
    assert_type(await pipe.acollect([1], execution="thread"), list[Any])
    async with pipe.astream() as stream:
        assert_type(stream, AsyncStream)
        async for output in stream:
            assert_type(output, Any)
    await pipe.astream()  # error


assert_type(pipe.plan(), ExecutionPlan)
assert_type(pipe.plan(execution="fork", strict=True), ExecutionPlan)
assert_type(pipe["length"], DeclaredStage)
pipe.run(1)  # error
pipe.plan(strict="yes")  # error

with pipe.stream() as outputs:
    for output in outputs:
        assert_type(output, Any)
    assert_type(outputs.report, RunReport)

# ------------------------------------------------------------------ parts

assert_type(pipe.add(Total(), name="total", workers=2), DeclaredStage)
assert_type(pipe.add(Sub("sub"), name="sub", to="total"), Sub)
assert_type(pipe.add(Work(), name="work"), Pipeline)
pipe.add(1)  # error
pipe.add(Total(), wokers=2)  # error
pipe.add(Sub("sub"), workers=2)  # error

with Sub("outer").pipeline("inner", execution="thread", to="total") as inner:
    assert_type(inner, Sub)

pipe.pipeline("inner", wokers=2)  # error
