"""A workflow of functions that can be imported is plain data, and is made again from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from minigun_py import GPU, HEAVY_CPU, Memory, Retry, UsageError, Workflow


def pages(count: int) -> list[int]:
    return list(range(count))


def parse(page: int) -> int:
    return page * page


def there_are(pages: list[int]) -> bool:
    return bool(pages)


def total(parsed: list[int]) -> int:
    return sum(parsed)


def forget(pages: list[int]) -> None: ...


def nightly() -> Workflow:
    inner = Workflow("inner")
    inner.step(total)
    wf = Workflow("nightly", limits={"db": 2})
    wf.step(pages)
    wf.step(
        parse,
        name="parsed",
        each={"page": "pages"},
        when=there_are,
        resources=[HEAVY_CPU, Memory(1000), GPU(1)],
        limits={"db": 2},
        retry=Retry(3, backoff=1.5),
        cache=True,
    )
    wf.step(pages, name="again", after="parsed", retry=2, timeout=2.5, execution="fork")
    wf.add(inner, inputs={"parsed": "parsed"}, after=["again"])
    wf.cleanup("pages", forget)
    return wf


DATA = {
    "name": "nightly",
    "limits": {"db": 2},
    "steps": [
        {"name": "pages", "function": f"{__name__}:pages", "cleanup": f"{__name__}:forget"},
        {
            "name": "parsed",
            "function": f"{__name__}:parse",
            "each": {"page": "pages"},
            "when": f"{__name__}:there_are",
            "resources": ["HEAVY_CPU", "Memory(1000)", "GPU(1)"],
            "limits": {"db": 2},
            "retry": {"attempts": 3, "backoff": 1.5},
            "cache": True,
        },
        {
            "name": "again",
            "function": f"{__name__}:pages",
            "after": ["parsed"],
            "execution": "fork",
            "timeout": 2.5,
            "retry": 2,
        },
    ],
    "workflows": [
        {
            "name": "inner",
            "workflow": {
                "name": "inner",
                "steps": [{"name": "total", "function": f"{__name__}:total"}],
            },
            "inputs": {"parsed": "parsed"},
            "after": ["again"],
        }
    ],
}


def test_there_and_back_again() -> None:
    data = nightly().to_dict()
    assert data == DATA
    again = Workflow.from_dict(json.loads(json.dumps(data)))
    assert again.to_dict() == data
    assert again.to_mermaid() == Workflow.from_dict(data).to_mermaid()


def test_from_toml() -> None:
    wf = Workflow.from_toml(
        f"""
        name = "toml"

        [[steps]]
        function = "{__name__}:pages"

        [[steps]]
        name = "parsed"
        function = "{__name__}:parse"
        each = {{ page = "pages" }}
        resources = "LIGHT_CPU"

        [[steps]]
        function = "{__name__}:total"
        """
    )
    assert wf.run(inputs={"count": 4})["total"].value == 14


@pytest.mark.parametrize(
    "function", [lambda: 1, pages.__get__(3), type("Here", (), {"__call__": lambda self: 1})()]
)
def test_what_cannot_be_imported_cannot_be_written_down(function: Callable[..., Any]) -> None:
    wf = Workflow("wf")
    wf.step(function, name="one")
    with pytest.raises(UsageError, match="cannot be imported by its name"):
        wf.to_dict()


def test_errors_to_retry_on_cannot_be_written_down() -> None:
    wf = Workflow("wf")
    wf.step(pages, retry=Retry(2, on=OSError))
    with pytest.raises(UsageError, match="cannot say on which errors to retry"):
        wf.to_dict()


STEP = {"name": "pages", "function": f"{__name__}:pages"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (7, "a workflow is defined by values with names, not 7"),
        ({"step": []}, "a workflow has no 'step'; did you mean 'steps'"),
        ({"steps": {}}, "the steps of a workflow are a list"),
        ({"steps": [7]}, "a step is defined by values with names"),
        ({"steps": [{"name": "a"}]}, "step 'a' needs a function"),
        ({"steps": [{"function": "here"}]}, "a function is named as in 'package.module:function'"),
        ({"steps": [{"function": "nowhere:f"}]}, "there is no function 'nowhere:f'"),
        ({"steps": [{"function": "os:nothing"}]}, "there is no function 'os:nothing'"),
        ({"steps": [{"function": "os:sep"}]}, "is no function, but '/'"),
        ({"steps": [{**STEP, "retrys": 2}]}, "a step has no 'retrys'; did you mean 'retry'"),
        ({"steps": [{**STEP, "retry": {"often": 2}}]}, "step 'pages': retry: "),
        ({"steps": [{**STEP, "resources": ["CPU"]}]}, "resources are texts such as 'HEAVY_CPU'"),
        ({"steps": [{**STEP, "resources": [7]}]}, "not 7"),
        ({"workflows": [{"workflo": {}}]}, "a workflow within another has no 'workflo'"),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(data: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Workflow.from_dict(data)


def test_what_is_no_toml_is_refused() -> None:
    with pytest.raises(UsageError, match="this is no TOML"):
        Workflow.from_toml("steps = [")
