"""Two annotated types are kept apart only where no value can be of both."""

from __future__ import annotations

import collections
import enum
import io
import os
import pathlib
import re
import typing
from collections import abc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NewType, Protocol, TypedDict, TypeVar

import pytest

from minigun_py.plan.fitting import can_fit, element_of, members_of, shown

T = TypeVar("T")
Metres = NewType("Metres", int)


class Animal: ...


class Dog(Animal): ...


class Row(TypedDict):
    name: str


class Named(Protocol):
    name: str


class Box(typing.Generic[T]): ...


class Anything(Any): ...


class Colour(enum.Enum):
    RED = 1


def fits(emitted: Any, taken: Any) -> bool:
    return can_fit(members_of(emitted), members_of(taken))


def pairs(*given: tuple[Any, Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("emitted", "taken"), given, ids=[f"{e}, {t}" for e, t in given])


apart = pairs(
    (str, int),
    (Animal, str),
    (None, int),
    (str, int | None),
    (str | bytes, int | float),
    (Metres, str),
    (pathlib.Path, str),
    (str, os.PathLike),
    (int, Iterable),
    (Literal["a"], int),
    (Literal["a"], Literal["b"]),
    (Literal[True], Literal[1]),
    (Literal[Colour.RED], str),
    (Row, list),
    (list, tuple),
    (type[int], int),
)

together = pairs(
    (int, int),
    (bool, int),
    (Dog, Animal),
    (Animal, Dog),
    (object, int),
    (int, object),
    (str | int, int),
    (int, str | int),
    (None, int | None),
    (int, float),
    (float, int),
    (int, complex),
    (bytearray, bytes),
    (Metres, int),
    (int, Metres),
    (str, Literal["a"]),
    (Literal["a", "b"], Literal["b", "c"]),
    (Colour, Literal[Colour.RED]),
    (Row, dict),
    (dict, Row),
    (str, Sequence),
    (pathlib.Path, os.PathLike),
    (typing.Annotated[int, "of metres"], int),
)

unknown = pairs(
    (Any, int),
    (str, Any),
    (T, int),
    (str, T),
    (Animal, Named),
    (Anything, int),
    (io.StringIO, typing.TextIO),
    ("int", str),
    (typing.Self, int),
    (int, 5),
    (typing.ClassVar[int], str),
)

apart_by_arguments = pairs(
    (list[str], list[int]),
    (list[str], Iterable[int]),
    (set[str], abc.Collection[int]),
    (tuple[int, ...], tuple[str, ...]),
    (tuple[int, str], tuple[int]),
    (tuple[int, str], tuple[int, int]),
    (tuple[int, str], Iterable[bytes]),
    (dict[str, int], Mapping[str, str]),
    (dict[str, int], collections.OrderedDict[int, int]),
    (list[list[str]], list[list[int]]),
    (list[str | None], list[int]),
    (Box[str], Box[int]),
    (type[Dog], type[str]),
    (Callable[[int], str], Callable[[int], int]),
    (list[str], dict[str, int]),
    (typing.List[str], list[int]),  # noqa: UP006 - as older programs write it
)

together_by_arguments = pairs(
    (list[str], list),
    (list, list[str]),
    (list[Any], list[str]),
    (list[T], list[str]),
    (list[Dog], Sequence[Animal]),
    (list[int], list[float]),
    (tuple[int, str], tuple[int, ...]),
    (tuple[int, *tuple[str, ...]], tuple[int, str, str]),
    (tuple[int, str], Iterable[str]),
    (dict[str, int], Iterable[int]),
    (abc.Generator[int, None, None], Iterator[int]),
    (collections.Counter[str], dict[str, int]),
    (str, Sequence[int]),
    (Box[str], Box),
    (re.Pattern[str], re.Pattern[str]),
)


@apart
def test_types_that_share_no_value_do_not_fit(emitted: Any, taken: Any) -> None:
    assert not fits(emitted, taken)


@apart
def test_what_does_not_fit_does_not_fit_the_other_way_round_either(
    emitted: Any, taken: Any
) -> None:
    assert not fits(taken, emitted)


@together
def test_types_that_may_share_a_value_fit(emitted: Any, taken: Any) -> None:
    assert fits(emitted, taken)


@unknown
def test_what_is_not_told_by_its_class_fits_everything(emitted: Any, taken: Any) -> None:
    assert fits(emitted, taken)


@apart_by_arguments
def test_containers_of_things_that_do_not_fit_do_not_fit(emitted: Any, taken: Any) -> None:
    assert not fits(emitted, taken)


@together_by_arguments
def test_containers_that_may_share_a_value_fit(emitted: Any, taken: Any) -> None:
    assert fits(emitted, taken)


def test_a_type_that_contains_itself_without_end_is_left_alone() -> None:
    class TypeAliasType:  # as of Python 3.12, `type Nested = list[Nested]`
        @property
        def __value__(self) -> Any:
            return list[self]  # type: ignore[valid-type]

    nested: Any = TypeAliasType()
    other: Any = TypeAliasType()
    assert fits(nested, other)


def test_a_name_that_stands_for_itself_is_unknown() -> None:
    class TypeAliasType:
        @property
        def __value__(self) -> Any:
            return self

    assert members_of(TypeAliasType()) is None


def test_a_function_that_never_returns_has_no_types() -> None:
    assert members_of(typing.Never) == members_of(typing.NoReturn) == ()


def test_members_of_unions_within_unions_are_members() -> None:
    assert members_of(typing.Union[int, Metres, str | None]) == (int, int, str, type(None))  # noqa: UP007


def test_the_elements_of_an_iterable_are_its_first_argument() -> None:
    assert element_of(abc.Generator[int | str, None, None]) == (int, str)


def test_the_elements_of_a_tuple_are_all_of_its_arguments() -> None:
    assert element_of(tuple[int, str]) == (int, str)


def test_the_elements_of_a_tuple_of_any_length_are_its_one_argument() -> None:
    assert element_of(tuple[int, ...]) == (int,)


@pytest.mark.parametrize(
    "iterable", [list, str, dict[str, int], Box[int], tuple[int, *tuple[str, ...]], Any]
)
def test_the_elements_of_other_types_are_unknown(iterable: Any) -> None:
    assert element_of(iterable) is None


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (int, "int"),
        (None, "None"),
        (str | None, "str | None"),
        (Animal, "Animal"),
        (list[Animal | None], "list[Animal | None]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (Literal["a"], "Literal['a']"),
        (Callable[[int], str], "Callable[[int], str]"),
        (list[Any], "list[Any]"),
        (list[T], "list[T]"),
    ],
)
def test_types_are_shown_as_they_are_written(annotation: Any, text: str) -> None:
    assert shown(members_of(annotation)) == text


def test_types_can_be_shown_with_their_modules() -> None:
    assert shown((Animal, int), with_modules=True) == f"{__name__}.Animal | int"
