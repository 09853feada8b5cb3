# pyright: strict
"""Steps keep their types, and what is said of them and of a run is checked."""

from typing import Any, assert_type

from minigun_py import HEAVY_CPU, Memory, Results, StepResult, StepState, Workflow
from minigun_py.events import Event

wf = Workflow("nightly", limits={"database": 2})


@wf.step
def pages(count: int) -> list[str]:
    return ["page"] * count


@wf.step(each={"page": "pages"}, resources=[HEAVY_CPU, Memory("1GB")], retry=3, timeout=5)
def parse(page: str) -> int:
    return len(page)


def there_are_some(parse: list[int]) -> bool:
    return bool(parse)


@wf.step(after=[pages], when=there_are_some, limits="database")
async def store(parse: list[int]) -> None: ...


@wf.cleanup("pages")
def remove(pages: list[str] | None, result: StepResult) -> None: ...


assert_type(pages(3), list[str])
assert_type(parse("a"), int)
assert_type(wf.step(parse, name="again")("a"), int)


def show(event: Event) -> None: ...


results = wf.run(inputs={"count": 3}, progress=show, memory="2GB", max_cpu=2, on_error="fail")
assert_type(results, Results)
assert_type(results["parse"], StepResult)
assert_type(results["parse"].state, StepState)
assert_type(results.values, dict[str, Any])
assert_type(Workflow.from_toml(""), Workflow)

wf.run(parallel=3)  # error
wf.run(on_error="ignore")  # error
wf.step(retries=3)  # error
wf.step(parse, execution="cloud")  # error
