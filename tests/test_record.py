"""A record does what a frozen dataclass with slots does, and Python takes it for one."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from minigun_py.record import FEW, as_dict, field, record, replace

T = TypeVar("T")


@record
class Point:
    """Two numbers."""

    ORIGIN: ClassVar[str] = "0, 0"

    x: int
    y: int = 0

    def far(self) -> int:
        return abs(self.x) + abs(self.y)


@record
class Tall(Point):
    z: int = 0
    marks: list[str] = field(default_factory=list, compare=False)


@record(frozen=False)
class Tally:
    items: list[int] = field(default_factory=list)
    count: int = 0


@record(eq=False)
class Alone:
    name: str
    length: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", len(self.name))


@record
class Held(Generic[T]):
    value: T
    point: Point | None = None


@record
class Own:
    text: str

    def __init__(self, number: int) -> None:
        object.__setattr__(self, "text", str(number))

    def __repr__(self) -> str:
        return "own"


class Painted(Point):
    def __init__(self, x: int, colour: str) -> None:
        super().__init__(x)
        self.colour = colour


RECORDS = [
    Point(1),
    Point(1, 2),
    Tall(1, 2, 3, ["a"]),
    Tally([1], 2),
    Held("a", Point(1)),
    Own(5),
]


def test_values_are_given_in_order_or_by_name_and_the_rest_has_defaults() -> None:
    assert (Point(1).x, Point(1).y) == (1, 0)
    assert Point(y=2, x=1) == Point(1, 2) == Point(1, y=2)
    tall = Tall(1, z=3)
    assert (tall.x, tall.y, tall.z, tall.marks) == (1, 0, 3, [])


def test_each_instance_has_a_default_of_its_own() -> None:
    one, other = Tally(), Tally()
    one.items.append(1)
    assert other.items == []


@pytest.mark.parametrize(
    ("args", "named", "told"),
    [
        ((), {}, "missing 1 required positional argument: 'x'"),
        ((), {"y": 1}, "missing 1 required positional argument: 'x'"),
        ((1, 2, 3), {}, "takes from 2 to 3 positional arguments but 4 were given"),
        ((1,), {"z": 3}, "unexpected keyword argument 'z'"),
        ((1,), {"x": 3}, "multiple values for argument 'x'"),
        ((1, 2), {"x": 3}, "multiple values for argument 'x'"),
    ],
)
def test_what_does_not_fit_is_refused(
    args: tuple[int, ...], named: dict[str, int], told: str
) -> None:
    with pytest.raises(TypeError, match=told):
        Point(*args, **named)


def test_the_first_instances_are_made_as_all_others_are() -> None:
    @record
    class Made:
        x: int
        y: list[int] = field(default_factory=list)
        z: int = 3
        twice: int = field(init=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "twice", 2 * self.x)

    made: Any = Made
    for number in range(2 * FEW):
        one = made(number, z=number + 1)
        assert (one.x, one.y, one.z, one.twice) == (number, [], number + 1, 2 * number)
        if number in (0, 2 * FEW - 1):  # whoever is refused is refused in the same words
            with pytest.raises(TypeError, match="multiple values for argument 'x'"):
                made(1, x=2)


def test_what_is_not_given_is_set_at_the_end_and_may_not_be_given() -> None:
    assert Alone("abc").length == 3
    refused: Any = Alone
    with pytest.raises(TypeError, match="length"):
        refused("abc", length=5)


def test_records_of_one_class_are_equal_if_their_values_are() -> None:
    assert Point(1, 2) == Point(1, 2) != Point(1, 3)
    assert hash(Point(1, 2)) == hash(Point(1, 2))
    assert Point(1) != Tall(1) != Point(1)
    assert Tall(1, marks=["a"]) == Tall(1, marks=["b"])
    assert Point(1) != (1, 0)


def test_without_eq_each_is_equal_to_itself_alone() -> None:
    one = Alone("a")
    assert one == one != Alone("a")  # noqa: PLR0124 - that is the question
    assert len({one, Alone("a")}) == 2


def test_what_is_not_frozen_can_be_changed_and_has_no_hash() -> None:
    tally = Tally()
    tally.count += 1
    assert tally == Tally([], 1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(tally)


def test_what_is_frozen_cannot_be_changed() -> None:
    point: Any = Tall(1)
    for name in ("x", "z"):
        with pytest.raises(dataclasses.FrozenInstanceError, match=f"'{name}' of a Tall"):
            setattr(point, name, 5)
        with pytest.raises(dataclasses.FrozenInstanceError, match=f"'{name}' of a Tall"):
            delattr(point, name)
    assert point == Tall(1)


@pytest.mark.parametrize("this", [Point(1), Tally()])
def test_there_are_slots_so_a_wrong_name_is_an_error(this: Any) -> None:
    with pytest.raises(AttributeError, match="colour"):
        this.colour = "red"
    assert not hasattr(this, "__dict__")


def test_a_record_prints_what_it_was_given() -> None:
    assert repr(Tall(1, marks=["a"])) == "Tall(x=1, y=0, z=0, marks=['a'])"
    assert repr(Alone("a")) == "Alone(name='a')"
    assert repr(Own(1)) == "own"
    round_about: Any = Tally()
    round_about.items.append(round_about)
    assert repr(round_about) == "Tally(items=[...], count=0)"


def test_a_record_can_be_matched() -> None:
    match Point(1, 2):
        case Point(x, y=2):
            assert x == 1
        case _:
            pytest.fail("it did not match")


@pytest.mark.parametrize("this", RECORDS, ids=repr)
def test_a_record_is_the_same_when_it_has_been_copied_or_pickled(this: Any) -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(this, protocol)) == this
    assert copy.copy(this) == copy.deepcopy(this) == this


def test_what_was_set_at_the_end_is_pickled_with_the_rest() -> None:
    assert pickle.loads(pickle.dumps(Alone("abc"))).length == 3


def test_a_generic_record_can_be_made_for_a_type() -> None:
    assert Held[str]("a") == Held("a")


def test_a_class_attribute_is_no_value() -> None:
    assert Point.ORIGIN == "0, 0"
    assert Point.__match_args__ == ("x", "y")


def test_a_copy_may_have_other_values() -> None:
    assert replace(Tall(1, 2, 3), y=5) == Tall(1, 5, 3)
    assert replace(Alone("abc"), name="a").length == 1
    with pytest.raises(TypeError, match="colour"):
        replace(Point(1), colour="red")


def test_as_a_dict_records_within_are_dicts_too() -> None:
    assert as_dict(Held(5, Point(1))) == {"value": 5, "point": {"x": 1, "y": 0}}


def test_a_record_is_a_dataclass_to_those_who_ask() -> None:
    assert dataclasses.is_dataclass(Point)
    assert dataclasses.is_dataclass(Point(1))
    assert [(f.name, f.compare, f.init) for f in dataclasses.fields(Tall)] == [
        ("x", True, True),
        ("y", True, True),
        ("z", True, True),
        ("marks", False, True),
    ]
    assert [f.init for f in dataclasses.fields(Alone)] == [True, False]
    held: Any = Held(5, Point(1))
    assert dataclasses.asdict(held) == as_dict(held)
    point: Any = Point(1)
    assert dataclasses.replace(point, y=5) == Point(1, 5)
    tally: Any = dataclasses.replace(Tally(count=2))  # type: ignore[type-var]
    assert tally == Tally(count=2)


def test_a_dataclass_may_extend_a_record() -> None:
    @dataclasses.dataclass(frozen=True)
    class Named(Point):
        name: str = ""

    named: Any = Named(1, 2, "a")  # type: ignore[call-arg]
    assert (named.x, named.y, named.name) == (1, 2, "a")


def test_a_class_may_extend_a_record_and_have_attributes_of_its_own() -> None:
    painted: Any = Painted(1, "red")
    assert (painted.x, painted.colour) == (1, "red")
    with pytest.raises(dataclasses.FrozenInstanceError):
        painted.x = 2


def test_the_parameters_are_told_to_those_who_ask() -> None:
    @dataclasses.dataclass(frozen=True)
    class Twin:
        x: int
        y: int = 0
        z: int = 0
        marks: list[str] = dataclasses.field(default_factory=list)

    assert inspect.signature(Tall) == inspect.signature(Twin)
    assert [*inspect.signature(Own).parameters] == ["number"]
    assert [*inspect.signature(Painted).parameters] == ["x", "colour"]


def test_the_first_item_needs_no_dataclass() -> None:
    program = (
        "import sys; before = {*sys.modules}\n"
        "import minigun_py; print(*minigun_py.pmap(abs, [-1], execution='thread'))\n"
        "print(sorted({'dataclasses', 'traceback', 'logging'} & ({*sys.modules} - before)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (ran.stdout, ran.stderr) == ("1\n[]\n", "")
