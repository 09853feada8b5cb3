"""How texts from the command line become arguments and options."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import pytest

from minigun_py import Pipeline, UsageError
from minigun_py.cli.parameters import arguments_for, stage_options


def factory(
    root: Path,
    count: int = 1,
    share: float = 0.5,
    dry: bool = False,
    label: str = "",
    limit: int | None = None,
    folder: Optional[Path] = None,  # noqa: UP045 - the older way of writing it is read as well
    size: int | str = 0,
    anything: Any = None,
    pattern: list[int] | None = None,
    bare=None,
) -> None: ...


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("count=4", 4),
        ("count=-1", -1),
        ("share=0.25", 0.25),
        ("share=2", 2.0),
        ("dry=yes", True),
        ("dry=FALSE", False),
        ("label=a=b", "a=b"),
        ("label=", ""),
        ("limit=7", 7),
        ("folder=x", Path("x")),
        ("size=3", 3),
        ("size=big", "big"),
        ("anything=4", "4"),
        ("bare=4", "4"),
    ],
)
def test_a_value_becomes_what_the_annotation_says(text: str, value: object) -> None:
    arguments = arguments_for(factory, ["root=/tmp", text])
    assert arguments == {"root": Path("/tmp"), text.partition("=")[0]: value}
    assert type(arguments[text.partition("=")[0]]) is type(value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("count=four", "-p count=four: expected a whole number"),
        ("limit=1.5", "-p limit=1.5: expected a whole number"),
        ("share=half", "-p share=half: expected a number"),
        ("dry=perhaps", "-p dry=perhaps: expected true or false"),
        ("pattern=1", r"-p pattern: a list\[int\] \| None cannot be given as text"),
        ("cuont=1", "-p cuont: there is no such parameter; did you mean 'count'"),
        ("count", "-p count: write it as key=value"),
        ("=1", "-p =1: write it as key=value"),
    ],
)
def test_a_wrong_text_is_a_usage_error_that_says_what_is_right(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        arguments_for(factory, ["root=/tmp", text])


def test_a_missing_parameter_is_named() -> None:
    with pytest.raises(UsageError, match=r"missing: -p root=\.\.\."):
        arguments_for(factory, [])


def test_a_function_without_parameters_takes_none() -> None:
    with pytest.raises(UsageError, match="no such parameter; there are none"):
        arguments_for(lambda: None, ["a=1"])


def test_a_parameter_that_has_no_name_from_outside_is_refused() -> None:
    def by_position(root: str, /) -> None: ...

    with pytest.raises(UsageError, match="takes 'root' by position only"):
        arguments_for(by_position, [])


def test_an_annotation_that_cannot_be_read_is_a_usage_error() -> None:
    def unreadable(root: Nowhere) -> None: ...  # noqa: F821

    with pytest.raises(UsageError, match=r"annotations of unreadable\(\) cannot be read"):
        arguments_for(unreadable, ["root=1"])


def test_a_pipeline_that_is_ready_takes_no_parameters() -> None:
    assert arguments_for(Pipeline(), []) == {}
    with pytest.raises(UsageError, match="a pipeline that is ready has no parameters"):
        arguments_for(Pipeline(), ["a=1"])


def test_stage_options_are_gathered_by_stage() -> None:
    given = ["parse.workers=4", "parse.execution=thread", "a.b.ordered=true", "rows.chunk=1"]
    assert stage_options(given) == {
        "parse": {"workers": 4, "execution": "thread"},
        "a.b": {"ordered": True},
        "rows": {"chunk": 1},
    }


def test_stage_options_read_decimal_numbers_and_leave_text() -> None:
    given = ["a.x=0.5", "a.y=nan", "a.z=20/s"]
    assert stage_options(given) == {"a": {"x": 0.5, "y": "nan", "z": "20/s"}}


@pytest.mark.parametrize("text", ["workers=4", "parse.=4", ".workers=4", "parse.workers"])
def test_a_stage_option_in_another_form_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match=r"write it as stage\.option=value"):
        stage_options([text])
