"""What keeps a function from going elsewhere is found before the run, by name and by line."""

from __future__ import annotations

import enum
import functools
import queue
import sqlite3
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from minigun_py.plan.preflight import Culprit, held_locks, what_cannot_cross

GLOBAL_LOCK = threading.Lock()
SOURCE = Path(__file__).name


def told(culprits: tuple[Culprit, ...]) -> list[str]:
    """What a user would read of them, without the line."""
    return [culprit.told_of("x").rpartition(", ")[0] for culprit in culprits]


def crossing(function: Callable[..., Any]) -> list[str]:
    return told(what_cannot_cross(function))


def locks(function: Callable[..., Any]) -> list[str]:
    return told(held_locks(function))


@contextmanager
def held_by_another_thread(lock: Any) -> Iterator[None]:
    """As where another thread works with the lock while a worker is forked."""
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            assert done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert taken.wait(30)
        yield
    finally:
        done.set()
        thread.join(30)


def passed_on(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator as most are."""

    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


def of_a_library(source: str) -> dict[str, Any]:
    """What a module of somebody else would have, with a lock of its own."""
    library: dict[str, Any] = {"__name__": "library", "LOCK": threading.Lock()}
    # Not as this file is compiled: annotations are code there, from Python 3.14 on.
    exec(compile(source, "library.py", "exec", dont_inherit=True), library)
    return library


class Slotted:
    """Has no dictionary."""

    __slots__ = ("empty", "lock")

    def __init__(self) -> None:
        self.lock = threading.RLock()

    def parse(self, item: Any) -> Any:
        return item


class Parser:
    """Has methods, and a lock for them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.seen = 0

    def __call__(self, item: Any) -> Any:
        self.seen += 1
        return item

    def parse(self, item: Any) -> Any:
        return item


# --------------------------------------------------------------------------- the words


def test_a_culprit_is_told_with_the_stage_the_type_and_the_line() -> None:
    culprit = Culprit("parse", "closes over", "lock", "threading.Lock", "census.py:31")
    assert (
        str(culprit) == "stage function `parse` closes over `lock` (threading.Lock), census.py:31"
    )
    assert culprit.told_of("read") == (
        "stage 'read' closes over 'lock' (threading.Lock), census.py:31"
    )


def test_without_a_line_a_culprit_ends_with_the_type() -> None:
    culprit = Culprit("print", "holds", "file", "an open file, io.FileIO", "")
    assert culprit.told_of("x") == "stage 'x' holds 'file' (an open file, io.FileIO)"


def test_the_line_is_where_the_function_was_written() -> None:
    lock = threading.Lock()

    def parse(item: Any) -> Any:
        return lock, item

    (culprit,) = what_cannot_cross(parse)
    line = parse.__code__.co_firstlineno
    assert culprit == Culprit("parse", "closes over", "lock", "threading.Lock", f"{SOURCE}:{line}")


# --------------------------------------------------------------------------- what cannot cross


@pytest.mark.parametrize(
    "function",
    [
        len,
        passed_on,
        lambda item: item,
        lambda item, words=("a", "b"): words,
        lambda item: SOURCE,
        functools.partial(max, 3),
        "text".upper,
        Path,
    ],
)
def test_of_what_can_be_pickled_nothing_is_told(function: Callable[..., Any]) -> None:
    assert what_cannot_cross(function) == ()


def test_a_function_that_can_be_imported_crosses_whatever_it_uses() -> None:
    assert what_cannot_cross(held_by_another_thread) == ()


def test_what_a_function_closes_over_is_told() -> None:
    rows, size = (row for row in "abc"), 3
    assert crossing(lambda item: (rows, size)) == ["stage 'x' closes over 'rows' (generator)"]


def test_a_global_that_it_uses_is_told() -> None:
    assert crossing(lambda item: GLOBAL_LOCK) == [
        "stage 'x' uses the global 'GLOBAL_LOCK' (threading.Lock)"
    ]


def test_a_global_that_only_an_inner_function_uses_is_told() -> None:
    assert crossing(lambda items: lambda: GLOBAL_LOCK) == [
        "stage 'x' uses the global 'GLOBAL_LOCK' (threading.Lock)"
    ]


def test_an_attribute_that_is_called_like_a_global_is_not_the_global() -> None:
    lock = threading.Lock()
    assert crossing(lambda item: (lock, item.GLOBAL_LOCK)) == [
        "stage 'x' closes over 'lock' (threading.Lock)"
    ]


def test_defaults_are_told_with_their_parameters() -> None:
    lock, local = threading.RLock(), threading.local()

    def parse(item: Any, n: int = 3, guard: Any = lock, *, cache: Any = local) -> Any:
        return item

    assert crossing(parse) == [
        "stage 'x' has the default 'guard' (threading.RLock)",
        "stage 'x' has the default 'cache' (threading.local)",
    ]


def test_an_attribute_of_the_function_is_told() -> None:
    def parse(item: Any) -> Any:
        return item

    vars(parse)["lock"] = threading.Lock()
    assert crossing(parse) == ["stage 'x' holds 'parse.lock' (threading.Lock)"]


def test_an_attribute_of_a_methods_object_is_told() -> None:
    assert crossing(Parser().parse) == ["stage 'x' holds 'self.lock' (threading.Lock)"]


def test_an_attribute_in_a_slot_is_told() -> None:
    assert crossing(Slotted().parse) == ["stage 'x' holds 'self.lock' (threading.RLock)"]


def test_an_attribute_of_a_callable_object_is_told_with_the_line_of_its_call() -> None:
    (culprit,) = what_cannot_cross(Parser())
    line = Parser.__call__.__code__.co_firstlineno
    assert culprit.told_of("x") == (
        f"stage 'x' holds 'self.lock' (threading.Lock), {SOURCE}:{line}"
    )


def test_an_argument_of_a_partial_is_told_with_its_parameter() -> None:
    def parse(first: Any, guard: Any, item: Any, *, other: Any) -> Any:
        return item

    lock = threading.Lock()
    assert crossing(functools.partial(parse, 1, lock, other=lock)) == [
        "stage 'x' holds 'guard' (threading.Lock)",
        "stage 'x' holds 'other' (threading.Lock)",
    ]


@pytest.mark.parametrize("untold", [print, max])
def test_an_argument_without_a_parameter_of_its_own_is_told_by_its_place(
    untold: Callable[..., Any],
) -> None:
    (culprit,) = what_cannot_cross(functools.partial(untold, "a", threading.Lock()))
    assert str(culprit) == (
        f"stage function `{untold.__name__}` holds `argument 2` (threading.Lock)"
    )


def test_the_object_that_a_partial_calls_is_gone_into() -> None:
    assert crossing(functools.partial(Parser(), 1)) == [
        "stage 'x' holds 'self.lock' (threading.Lock)"
    ]


def test_an_open_file_is_told_as_such(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out:
        assert crossing(lambda item: out) == [
            "stage 'x' closes over 'out' (an open file, io.TextIOWrapper)"
        ]


def test_an_object_is_told_with_the_module_of_its_type() -> None:
    jobs: queue.Queue[int] = queue.Queue()
    assert crossing(lambda item: jobs) == ["stage 'x' closes over 'jobs' (queue.Queue)"]


def test_a_function_that_it_calls_is_gone_into_and_told_with_its_own_line() -> None:
    lock = threading.Lock()

    def clean(item: Any) -> Any:
        return lock, item

    def parse(item: Any) -> Any:
        return clean(item)

    (culprit,) = what_cannot_cross(parse)
    assert (culprit.function, culprit.variable) == ("clean", "lock")
    assert culprit.location == f"{SOURCE}:{clean.__code__.co_firstlineno}"


def test_functions_that_call_each_other_are_gone_into_once() -> None:
    lock = threading.Lock()

    def even(n: int) -> Any:
        return odd(n - 1) if n else lock

    def odd(n: int) -> Any:
        return even(n - 1)

    assert crossing(odd) == ["stage 'x' closes over 'lock' (threading.Lock)"]


def test_behind_a_decorator_is_what_it_decorates() -> None:
    lock = threading.Lock()

    @passed_on
    def parse(item: Any) -> Any:
        return lock, item

    assert crossing(parse) == ["stage 'x' closes over 'lock' (threading.Lock)"]


def test_a_cache_around_a_function_is_gone_into_too() -> None:
    lock = threading.Lock()

    @functools.cache
    def look_up(item: Any) -> Any:
        return lock, item

    assert "stage 'x' closes over 'lock' (threading.Lock)" in crossing(lambda i: look_up((i,)))


def test_every_culprit_is_told() -> None:
    lock, rows = threading.Lock(), iter([1])
    rows = (row for row in rows)
    assert crossing(lambda item: (lock, rows, GLOBAL_LOCK)) == [
        "stage 'x' closes over 'lock' (threading.Lock)",
        "stage 'x' closes over 'rows' (generator)",
        "stage 'x' uses the global 'GLOBAL_LOCK' (threading.Lock)",
    ]


def test_a_variable_without_a_value_yet_is_passed_over() -> None:
    lock = threading.Lock()

    def parse(item: Any) -> Any:
        return later, lock

    assert crossing(parse) == ["stage 'x' closes over 'lock' (threading.Lock)"]
    later = 1


def test_where_no_variable_is_to_blame_the_error_is_told() -> None:
    with sqlite3.connect(":memory:") as connection:
        (culprit,) = what_cannot_cross(connection.execute)
    connection.close()
    assert culprit.told_of("load") == (
        "stage 'load' cannot be pickled (TypeError: cannot pickle 'sqlite3.Connection' object)"
    )


def test_an_object_may_refuse_in_its_own_words() -> None:
    class Stubborn:
        def __reduce__(self) -> str:
            raise ZeroDivisionError("not me")

        def __call__(self, item: Any) -> Any:
            return item

    assert crossing(Stubborn()) == ["stage 'x' cannot be pickled (ZeroDivisionError: not me)"]


class Colour(enum.Enum):
    """Gives the class below an attribute of the kind that enums have."""

    RED = 1


def classes_that_use_a_lock() -> list[type]:
    """Nested, so that they cross by value, and with what Python itself adds to classes."""
    lock = threading.Lock()

    class Abstract(ABC):
        @abstractmethod
        def parse(self) -> None: ...

        @property
        def guard(self) -> Any:
            return lock

    class Colours(enum.Enum):
        RED = 1

        def guard(self) -> Any:
            return lock

    @dataclass(frozen=True, slots=True)
    class Record:
        colour: Colour = Colour.RED

        @staticmethod
        def guard() -> Any:
            return lock

    class Inherited(Record):
        pass

    return [Abstract, Colours, Record, Inherited]


@pytest.mark.parametrize("kind", classes_that_use_a_lock(), ids=lambda kind: kind.__name__)
def test_of_a_class_only_what_its_author_wrote_is_told(kind: type) -> None:
    assert crossing(lambda item: kind) == ["stage 'x' closes over 'lock' (threading.Lock)"]


def test_annotations_of_a_class_are_not_to_blame() -> None:
    kind = of_a_library("class Record:\n  size: int\n  def guard(self): return LOCK")["Record"]
    assert told(what_cannot_cross(lambda item: kind)) == [
        "stage 'x' uses the global 'LOCK' (threading.Lock)"
    ]


def test_an_attribute_with_the_shortest_name_is_no_machinery() -> None:
    class Shared:
        _ = threading.Lock()

    [culprit] = what_cannot_cross(Shared)
    assert (culprit.variable, culprit.type_name) == ("Shared._", "threading.Lock")


def test_an_attribute_of_a_class_is_told() -> None:
    class Shared:
        _lock = threading.Lock()

        @classmethod
        def parse(cls, item: Any) -> Any:
            return item

    (culprit,) = what_cannot_cross(Shared.parse)
    assert culprit.variable == "Shared._lock"


def test_what_is_defined_in_the_program_itself_is_gone_into(tmp_path: Path) -> None:
    program = tmp_path / "job.py"
    program.write_text(
        "import threading\n"
        "from minigun_py.plan.preflight import what_cannot_cross\n"
        "LOCK = threading.Lock()\n"
        "def clean(item): return LOCK, item\n"
        "def parse(item): return clean(item)\n"
        "print(*what_cannot_cross(parse), sep='\\n')\n"
    )
    output = subprocess.run(
        [sys.executable, program], check=True, capture_output=True, text=True, timeout=30
    ).stdout
    assert output == "stage function `clean` uses the global `LOCK` (threading.Lock), job.py:4\n"


# --------------------------------------------------------------------------- held locks


@pytest.mark.parametrize("kind", ["Lock", "RLock"])
def test_a_lock_is_told_while_another_thread_holds_it(kind: str) -> None:
    lock = getattr(threading, kind)()

    def parse(item: Any) -> Any:
        return lock, item

    place = f"{SOURCE}:{parse.__code__.co_firstlineno}"
    assert held_locks(parse) == ()
    with held_by_another_thread(lock):
        told_of = held_locks(parse)
    assert told_of == (Culprit("parse", "closes over", "lock", f"threading.{kind}", place),)
    assert held_locks(parse) == ()


def test_a_held_lock_of_a_module_is_told_also_for_a_function_that_can_be_imported() -> None:
    with GLOBAL_LOCK:
        assert locks(uses_the_global_lock) == [
            "stage 'x' uses the global 'GLOBAL_LOCK' (threading.Lock)"
        ]


def uses_the_global_lock(item: Any) -> Any:
    """Can be imported."""
    with GLOBAL_LOCK:
        return item


def test_a_held_lock_of_a_function_of_the_same_module_is_told() -> None:
    with GLOBAL_LOCK:
        (culprit,) = held_locks(lambda item: uses_the_global_lock([item]))
    assert culprit.function == "uses_the_global_lock"


def test_a_held_lock_inside_a_library_is_its_own_affair() -> None:
    library = of_a_library("def read(item): return LOCK, item")
    read = library["read"]
    with library["LOCK"]:
        assert held_locks(lambda item: read([item])) == ()


def test_the_locks_of_a_module_that_is_used_are_its_own_affair() -> None:
    library = ModuleType("library")
    vars(library)["LOCK"] = threading.Lock()
    with vars(library)["LOCK"]:
        assert held_locks(lambda item: library) == ()


def test_a_held_lock_behind_a_librarys_decorator_is_told() -> None:
    lock = threading.Lock()
    library = of_a_library("def passed_on(f):\n  def wrapper(i): return f(i)\n  return wrapper")
    read = library["passed_on"](lambda item: (lock, item))
    with lock:
        assert locks(lambda item: read([item])) == ["stage 'x' closes over 'lock' (threading.Lock)"]


def test_a_held_lock_of_a_methods_object_is_told() -> None:
    parser = Parser()
    with parser.lock:
        assert locks(parser.parse) == ["stage 'x' holds 'self.lock' (threading.Lock)"]
        assert locks(parser) == ["stage 'x' holds 'self.lock' (threading.Lock)"]


def test_a_held_lock_of_an_object_that_is_used_is_told_with_its_attribute() -> None:
    slotted, jobs = Slotted(), queue.Queue[int]()
    with slotted.lock, jobs.mutex:
        assert locks(lambda item: (slotted, jobs)) == [
            "stage 'x' closes over 'jobs.mutex' (threading.Lock)",
            "stage 'x' closes over 'slotted.lock' (threading.RLock)",
        ]


def test_a_held_condition_is_told_by_its_lock() -> None:
    ready = threading.Condition()
    assert held_locks(lambda item: ready) == ()
    with ready:
        assert locks(lambda item: ready) == [
            "stage 'x' closes over 'ready._lock' (threading.RLock)"
        ]


def test_a_held_lock_behind_a_decorator_and_a_partial_is_told() -> None:
    lock = threading.Lock()

    @passed_on
    def parse(item: Any) -> Any:
        return lock, item

    with lock:
        assert locks(functools.partial(parse)) == ["stage 'x' closes over 'lock' (threading.Lock)"]


def test_what_stands_for_something_that_is_not_there_does_no_harm() -> None:
    class Proxy:
        @property
        def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
            raise RuntimeError("working outside of a request")

    proxy = Proxy()
    assert held_locks(lambda item: proxy) == ()


# --------------------------------------------------------------------------- assignments
