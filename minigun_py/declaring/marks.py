"""Marks that a class body leaves on what shall become a stage or a hook of a `Job`.

A decorator marks the method and returns it unchanged; a ready-made stage is a mark by itself. What
is wrong is refused where it is written. The stages are made for each instance, when its pipeline
is asked for: only then the methods are bound.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, Unpack, overload

from minigun_py.declaring.grounds import caller
from minigun_py.declaring.parts import Parts
from minigun_py.errors import UsageError
from minigun_py.plan.hooks import checked_hook
from minigun_py.plan.options import Reference, checked_options
from minigun_py.plan.signature import location
from minigun_py.record import field, record, replace

if TYPE_CHECKING:
    from minigun_py.plan.stage_options import BatchOptions, StageOptions, UnkeyedOptions

__all__ = [
    "Mark",
    "accumulator",
    "after",
    "after_fork",
    "after_run",
    "batch",
    "before",
    "before_fork",
    "before_run",
    "consumer",
    "deduplicate",
    "marks_of",
    "on_failure",
    "part",
    "processor",
    "producer",
    "rebatch",
    "references_of",
    "unbatch",
]

F = TypeVar("F", bound=Callable[..., Any])

_MARK: Final = "__minigun_mark__"
_FUNCTIONS: Final = ("setup", "teardown", "key", "routing", "on_error")
"""Options that may be methods of the class, and have to be bound."""
_REFERENCES: Final = ("to", "from_", "routes", "feedback", "dead_letter")


@record
class Mark:
    """What a class body said: which word of `Pipeline` it is, and with what."""

    word: str
    arguments: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    location: str = ""
    is_method: bool = True
    also: Mark | None = None
    """Another hook that the same function is."""

    def where(self, name: str) -> str:
        """The stage in words, with file and line."""
        at = f" ({self.location})" if self.location else ""
        return f"stage {self.stage_name(name)!r}{at}"

    @property
    def is_hook(self) -> bool:
        """Whether it is no stage."""
        return self.word.startswith(("before", "after", "on_"))

    def stage_name(self, attribute: str) -> str:
        """The name of the stage."""
        return str(self.options.get("name", attribute))

    def declare(self, pipe: Parts, attribute: str, job: object) -> None:
        """Declare it in the pipeline of an instance."""
        if self.also is not None:
            self.also.declare(pipe, attribute, job)
        options = {n: _of_instance(n, v, job) for n, v in self.options.items()}
        method = getattr(job, attribute) if self.is_method else None
        if self.is_hook:
            arguments = tuple(_named(a, type(job)) for a in self.arguments)
            word = getattr(pipe, self.word)
            (word(*arguments) if arguments else word)(method)
        elif self.is_method:
            getattr(pipe, self.word)(method, **({"name": attribute} | options))
        else:
            arguments = tuple(_of_instance("", a, job) for a in self.arguments)
            getattr(pipe, self.word)(*arguments, **({"name": attribute} | options))
            pipe.locate(self.stage_name(attribute), self.location)


def marks_of(cls: type) -> dict[str, Mark]:
    """What a class declares, by attribute, those of its bases first; the last word counts."""
    found: dict[str, Mark] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            mark = _mark_of(value)
            if mark is not None:
                found[name] = mark
            elif name in found and not (found[name].is_method and callable(getattr(cls, name))):
                what = "function" if found[name].is_method else "stage"
                raise UsageError(
                    f"{found[name].where(name)}: {base.__name__} replaces it by {value!r}, which "
                    f"is no {what}"
                )
    return found


def _mark_of(value: Any) -> Mark | None:
    if isinstance(value, Mark):
        return value
    mark = getattr(value, _MARK, None) or getattr(getattr(value, "__func__", None), _MARK, None)
    return mark if isinstance(mark, Mark) else None


def references_of(value: Any, cls: type) -> Any:
    """References, with names in place of the functions of a class."""
    if isinstance(value, list | tuple):
        return [_named(reference, cls) for reference in value]
    return _named(value, cls)


def _of_instance(option: str, value: Any, job: object) -> Any:
    """The value of an option for an instance: methods are bound, references become names."""
    if option in _REFERENCES:
        return references_of(value, type(job))
    if callable(value) and (option in _FUNCTIONS or not option):
        name = _attribute(value, type(job))
        return value if name is None else getattr(job, name)
    return value


def _named(reference: Any, cls: type) -> Any:
    """The name of the stage that a function of the class is."""
    name = _attribute(reference, cls) if not isinstance(reference, str) else None
    if name is None:
        return reference
    mark = marks_of(cls).get(name)
    return name if mark is None else mark.stage_name(name)


def _attribute(value: Any, cls: type) -> str | None:
    for base in cls.__mro__:
        for name, other in vars(base).items():
            if other is value:
                return name
    return None


def _marking(word: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Callable[[F], F]:
    def mark(function: F) -> F:
        at = location(getattr(function, "__func__", function))
        made = Mark(word, arguments, options, at)
        name = getattr(function, "__name__", repr(function))
        if made.is_hook:
            bound = isinstance(function, staticmethod)
            checked_hook(word, getattr(function, "__func__", function), None, bound=bound)
        else:
            checked_options({k: v for k, v in options.items() if k != "name"}, made.where(name))
        other = getattr(function, _MARK, None)
        if isinstance(other, Mark):
            if not (made.is_hook and other.is_hook):
                raise UsageError(f"{made.where(name)}: it is a {other.word} already")
            made = replace(made, also=other)
        try:
            setattr(function, _MARK, made)
        except AttributeError:
            raise UsageError(
                f"{made.where(name)}: in a Job a stage is a method; write one that calls "
                f"{function!r}"
            ) from None
        return function

    return mark


def _stage(word: str, function: Any, options: dict[str, Any]) -> Any:
    mark = _marking(word, (), options)
    return mark if function is None else mark(function)


@overload
def producer(function: F, /, **options: Unpack[StageOptions]) -> F: ...
@overload
def producer(**options: Unpack[StageOptions]) -> Callable[[F], F]: ...
def producer(function: Any = None, /, **options: Any) -> Any:
    """Make a method a source of the job, as `Pipeline.producer`."""
    return _stage("producer", function, options)


@overload
def processor(function: F, /, **options: Unpack[StageOptions]) -> F: ...
@overload
def processor(**options: Unpack[StageOptions]) -> Callable[[F], F]: ...
def processor(function: Any = None, /, **options: Any) -> Any:
    """Make a method a stage of the job, as `Pipeline.processor`."""
    return _stage("processor", function, options)


@overload
def accumulator(function: F, /, **options: Unpack[StageOptions]) -> F: ...
@overload
def accumulator(**options: Unpack[StageOptions]) -> Callable[[F], F]: ...
def accumulator(function: Any = None, /, **options: Any) -> Any:
    """Make a method turn the stream of items into another, as `Pipeline.accumulator`."""
    return _stage("accumulator", function, options)


@overload
def consumer(function: F, /, **options: Unpack[StageOptions]) -> F: ...
@overload
def consumer(**options: Unpack[StageOptions]) -> Callable[[F], F]: ...
def consumer(function: Any = None, /, **options: Any) -> Any:
    """Make a method end a branch of the job, as `Pipeline.consumer`."""
    return _stage("consumer", function, options)


def batch(size: int, max_wait: float | None = None, **options: Unpack[BatchOptions]) -> Any:
    """In a class body, ``rows = batch(100)``: as `Pipeline.batch`."""
    said: dict[str, Any] = {**options}
    Parts("check").batch(size, max_wait, **said)
    return Mark("batch", (size, max_wait), said, caller(), is_method=False)


def rebatch(size: int, **options: Unpack[StageOptions]) -> Any:
    """In a class body, ``rows = rebatch(100)``: as `Pipeline.rebatch`."""
    Parts("check").rebatch(size, **options)
    return Mark("rebatch", (size,), {**options}, caller(), is_method=False)


def unbatch(**options: Unpack[StageOptions]) -> Any:
    """In a class body, ``row = unbatch()``: as `Pipeline.unbatch`."""
    Parts("check").unbatch(**options)
    return Mark("unbatch", (), {**options}, caller(), is_method=False)


def deduplicate(
    key: Callable[..., Any] | None = None,
    **options: Unpack[UnkeyedOptions],
) -> Any:
    """In a class body, ``once = deduplicate()``: as `Pipeline.deduplicate`."""
    Parts("check").deduplicate(key, **options)
    return Mark("deduplicate", (key,), {**options}, caller(), is_method=False)


def part(whole: Any, **options: Unpack[StageOptions]) -> Any:
    """In a class body, ``days = part(PerDay())``: as `Pipeline.add`."""
    return Mark("add", (whole,), {**options}, caller(), is_method=False)


def before_run(function: F, /) -> F:
    """As `Pipeline.before_run`, for a method."""
    return _marking("before_run", (), {})(function)


def after_run(function: F, /) -> F:
    """As `Pipeline.after_run`, for a method."""
    return _marking("after_run", (), {})(function)


def before_fork(function: F, /) -> F:
    """As `Pipeline.before_fork`, for a method."""
    return _marking("before_fork", (), {})(function)


def after_fork(function: F, /) -> F:
    """As `Pipeline.after_fork`, for a method."""
    return _marking("after_fork", (), {})(function)


def on_failure(function: F, /) -> F:
    """As `Pipeline.on_failure`, for a method."""
    return _marking("on_failure", (), {})(function)


def before(stage: Reference, /) -> Callable[[F], F]:
    """As `Pipeline.before`, for a method."""
    return _marking("before", (stage,), {})


def after(stage: Reference, /) -> Callable[[F], F]:
    """As `Pipeline.after`, for a method."""
    return _marking("after", (stage,), {})
