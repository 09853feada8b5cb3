"""A name finds the nearest member that it can mean, and tells when it can mean two."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from minigun_py.errors import UsageError
from minigun_py.plan.scope import Level
from plan.drawing import consumer, processor, source
from plan.nesting import level_of, nested


def double(number: int) -> int:
    return 2 * number


def refusal(level: Level, reference: object) -> str:
    """Why a reference is refused."""
    with pytest.raises(UsageError) as raised:
        level.resolve(reference, "stage 'a'")
    return str(raised.value)


def below(level: Level, name: str) -> Level:
    """A pipeline right below."""
    member = level.members[name]
    assert isinstance(member, Level)
    return member


# --------------------------------------------------------------------------- paths


def test_a_stage_of_the_outermost_pipeline_has_its_name_as_its_path() -> None:
    assert list(dict(level_of(source("s"), processor("a")).all_stages())) == ["s", "a"]


def test_a_stage_further_in_has_the_names_of_the_pipelines_before_its_own() -> None:
    level = level_of(source("s"), nested("one", processor("a"), nested("two", processor("a"))))
    assert list(dict(level.all_stages())) == ["s", "one.a", "one.two.a"]


def test_a_stage_knows_its_path() -> None:
    level = level_of(nested("one", processor("a")))
    assert [stage.name for _, stage in level.all_stages()] == ["one.a"]


def test_stages_come_in_the_order_of_their_definition() -> None:
    level = level_of(processor("a"), nested("one", processor("b")), processor("c"))
    assert [path for path, _ in level.all_stages()] == ["a", "one.b", "c"]


def test_the_innermost_levels_come_first() -> None:
    level = level_of(nested("one", nested("two", processor("a"))), nested("three", processor("a")))
    assert [each.path for each in level.levels()] == ["one.two", "one", "three", ""]


# --------------------------------------------------------------------------- names


def test_a_member_of_the_same_pipeline_is_meant_first() -> None:
    level = level_of(processor("a"), nested("one", processor("a")))
    assert level.resolve("a", "x") == "a"


def test_a_stage_further_in_is_found_by_its_name() -> None:
    level = level_of(nested("one", nested("two", processor("a"))))
    assert level.resolve("a", "x") == "one.two.a"


def test_a_stage_further_in_is_found_by_its_path() -> None:
    level = level_of(nested("one", nested("two", processor("a"))), nested("three", processor("a")))
    assert level.resolve("one.two.a", "x") == "one.two.a"


def test_a_path_begins_wherever_its_first_name_is_a_member() -> None:
    level = level_of(nested("one", nested("two", processor("a")), processor("b")))
    assert below(level, "one").resolve("two.a", "x") == "one.two.a"


def test_what_the_own_pipeline_lacks_is_looked_for_around_it() -> None:
    level = level_of(consumer("z"), nested("one", nested("two", processor("a"))))
    assert below(below(level, "one"), "two").resolve("z", "x") == "z"


def test_what_is_nearer_comes_before_what_is_around() -> None:
    level = level_of(processor("a"), nested("one", processor("b"), nested("two", processor("a"))))
    assert below(level, "one").resolve("a", "x") == "one.two.a"


def test_a_stage_of_a_sibling_pipeline_is_found_from_within() -> None:
    level = level_of(nested("one", processor("a")), nested("two", processor("b")))
    assert below(level, "one").resolve("b", "x") == "two.b"


def test_a_pipeline_is_found_by_its_name() -> None:
    level = level_of(nested("one", processor("a")))
    assert level.resolve("one", "x") is below(level, "one")


# --------------------------------------------------------------------------- other references


def test_a_function_means_its_stage() -> None:
    assert level_of(processor("a"), processor("b", double)).resolve(double, "x") == "b"


def test_a_function_of_a_stage_further_in_means_it() -> None:
    level = level_of(processor("a"), nested("one", processor("b", double)))
    assert level.resolve(double, "x") == "one.b"


def test_a_stage_means_itself_also_when_its_options_have_changed() -> None:
    before, after = processor("b", double), processor("b", double, workers=2)
    assert level_of(processor("a"), after).resolve(before, "x") == "b"


def test_a_pipeline_means_itself() -> None:
    one = nested("one", processor("a"))
    level = level_of(one)
    assert level.resolve(one.origin, "x") is below(level, "one")


def test_a_callable_that_cannot_be_hashed_means_its_stage() -> None:
    class Adder:
        def __init__(self, number: int) -> None:
            self.number = number

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Adder) and other.number == self.number

        __hash__ = None  # type: ignore[assignment]

        def __call__(self, item: int) -> int:
            return item + self.number

    level = level_of(processor("a", Adder(1)), processor("b", Adder(2)), processor("c", double))
    assert level.resolve(Adder(2), "x") == "b"


# --------------------------------------------------------------------------- refusals


def test_a_name_that_two_pipelines_have_is_ambiguous() -> None:
    level = level_of(nested("one", processor("a")), nested("two", processor("a")))
    assert refusal(level, "a") == (
        "stage 'a': 'a' is ambiguous: it may be 'one.a' or 'two.a'; give the path"
    )


def test_a_name_at_two_depths_is_ambiguous_from_above() -> None:
    level = level_of(nested("one", processor("a"), nested("two", processor("a"))))
    assert "it may be 'one.two.a' or 'one.a'" in refusal(level, "a")


def test_a_function_of_two_stages_is_ambiguous() -> None:
    level = level_of(processor("a", double), processor("b", double))
    assert "'double' is ambiguous: it may be 'a' or 'b'" in refusal(level, double)


def test_an_unknown_name_is_told_with_the_nearest_of_all_levels() -> None:
    level = level_of(nested("clean", processor("strip")), processor("a"))
    assert refusal(level, "stripp") == (
        "stage 'a': there is no stage 'stripp'; did you mean 'strip'?"
    )


def test_an_unknown_path_is_told_with_the_nearest() -> None:
    level = level_of(nested("clean", processor("strip")))
    assert "did you mean 'clean.strip'" in refusal(level, "clean.strop")


@pytest.mark.parametrize("reference", [double, 3, processor("b", double), [1]])
def test_what_is_no_member_is_unknown(reference: Callable[..., object]) -> None:
    assert "there is no stage" in refusal(level_of(processor("a")), reference)
