"""Records: classes of named values, frozen if nothing else is said, that cost little to define.

Why: `dataclass` writes and compiles half a dozen functions for every class, most of a millisecond
each. For the eighty records that a first run needs, that was half of the time until its first
item. Here all records share the same functions.

How::

    @record
    class Harvest:
        outputs: list[Values]
        failures: list[ItemFailure] = field(default_factory=list)

To type checkers a record is a dataclass with slots. So it is to the `dataclasses` module (`fields`,
`replace`, `asdict`), for which it is described when that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from reprlib import recursive_repr
from typing import Any, Final, TypeVar, dataclass_transform, overload

__all__ = ["as_dict", "field", "record", "replace"]

T = TypeVar("T")

_NOTHING: Final[Any] = object()

FEW: Final = 16
"""So many instances cost less than to write and compile a function that makes them, which takes
0.1 ms; most records of a run are made once."""


class _Field:
    """What is said of a value beside its type, as `dataclasses.field` takes it."""

    __slots__ = ("compare", "default", "default_factory", "init")

    def __init__(
        self,
        default: Any = _NOTHING,
        default_factory: Any = _NOTHING,
        init: bool = True,
        compare: bool = True,
    ) -> None:
        self.default, self.default_factory = default, default_factory
        self.init, self.compare = init, compare

    def said(self) -> dict[str, Any]:
        """What was said, by name."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in told.items() if value is not _NOTHING}


def field(
    *,
    default: Any = _NOTHING,
    default_factory: Callable[[], Any] = _NOTHING,
    init: bool = True,
    compare: bool = True,
) -> Any:
    """Say of a value what makes its default, that it is not given, or that it is not compared."""
    return _Field(default, default_factory, init, compare)


@overload
def record(cls: type[T], /) -> type[T]: ...
@overload
def record(*, frozen: bool = True, eq: bool = True) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(
    cls: type[T] | None = None, /, *, frozen: bool = True, eq: bool = True
) -> type[T] | Callable[[type[T]], type[T]]:
    """Make a class a record of its annotated values, and of those of its bases.

    Two are equal if they are of one class and their values are; with ``eq=False`` each is equal
    to itself alone. `__post_init__`, if there is one, sets what is not given.
    """
    if cls is None:
        return lambda cls: _recorded(cls, frozen, eq)
    return _recorded(cls, frozen, eq)


def replace(this: T, /, **changes: Any) -> T:
    """A copy of a record, with some of what was given changed."""
    given = {name: getattr(this, name) for name in type(this).__match_args__}  # type: ignore[attr-defined]
    return type(this)(**{**given, **changes})


def as_dict(this: Any) -> dict[str, Any]:
    """What was given for a record by name, records in it likewise."""
    values = {name: getattr(this, name) for name in this.__match_args__}
    return {
        name: as_dict(value) if hasattr(type(value), "__record_fields__") else value
        for name, value in values.items()
    }


class _Told:
    """What the dataclass that a record would be has under a name, for whoever looks it up."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, _: Any, cls: Any) -> Any:
        return getattr(_dataclass(cls), self._name)


class _Signature:
    """The parameters of a record; not of a class that has a way of its own to be made."""

    def __get__(self, _: Any, cls: Any) -> Any:
        import inspect  # here: it is for those who ask

        if cls.__init__.__module__ != __name__:
            raise AttributeError("__signature__")
        return inspect.signature(_dataclass(cls))


def _dataclass(cls: Any) -> Any:
    import dataclasses  # here: it is what a record does without

    annotations = {k: v for base in reversed(cls.__mro__) for k, v in _annotations(base)}
    fields = []
    for name, field in cls.__record_fields__.items():
        fields.append((name, annotations[name], dataclasses.field(**field.said())))
    frozen = cls.__setattr__ is _refuse_setting
    return dataclasses.make_dataclass(cls.__name__, fields, frozen=frozen)


def _recorded(cls: type[T], frozen: bool, eq: bool) -> type[T]:
    body = dict(vars(cls))
    inherited: dict[str, _Field] = getattr(cls, "__record_fields__", {})
    own = {
        name: _field(body.pop(name, _NOTHING))
        for name, annotation in _annotations(cls)
        if not str(annotation).startswith("ClassVar")
    }
    fields = {**inherited, **own}
    for name in ("__dict__", "__weakref__"):
        body.pop(name, None)
    body["__slots__"] = tuple(name for name in own if name not in inherited)
    body["__record_fields__"] = fields
    body["__match_args__"] = tuple(name for name, field in fields.items() if field.init)
    body["__signature__"] = _Signature()
    for name in ("__dataclass_fields__", "__dataclass_params__"):
        body[name] = _Told(name)
    for name, method in _methods(fields, frozen, eq).items():
        body.setdefault(name, method)
    metaclass: Any = type(cls)
    made = metaclass(cls.__name__, cls.__bases__, body)
    if "__init__" not in body:
        made.__init__ = _initializer(made, fields, frozen)
    return made  # type: ignore[no-any-return]


def _annotations(cls: Any) -> Iterable[tuple[str, Any]]:
    """Its own; no class has those of another."""
    return getattr(cls, "__annotations__", {}).items()


def _field(said: Any) -> _Field:
    return said if isinstance(said, _Field) else _Field(said)


def _initializer(cls: Any, fields: Mapping[str, _Field], frozen: bool) -> Callable[..., None]:
    """What sets the values: one by one at first, then by a function that is written for them."""
    wanted = {name: said for name, said in fields.items() if said.init}
    slowly = 0

    def __init__(self: Any, /, *args: Any, **named: Any) -> None:
        nonlocal slowly
        slowly += 1
        if slowly > FEW or not _filled(self, wanted, args, named):
            cls.__init__ = _written(cls, fields, frozen)
            cls.__init__(self, *args, **named)

    return __init__


def _filled(
    this: Any, fields: Mapping[str, _Field], args: tuple[Any, ...], named: Mapping[str, Any]
) -> bool:
    """Set the values, without a word if that is no way to make it."""
    given = {**dict(zip(fields, args, strict=False)), **named}
    if len(given) < len(args) + len(named) or not given.keys() <= fields.keys():
        return False
    for name, said in fields.items():
        value = given.get(name, said.default)
        if value is _NOTHING:
            if said.default_factory is _NOTHING:
                return False
            value = said.default_factory()
        object.__setattr__(this, name, value)
    if hasattr(this, "__post_init__"):
        this.__post_init__()
    return True


def _written(cls: Any, fields: Mapping[str, _Field], frozen: bool) -> Callable[..., None]:
    names: dict[str, Any] = {"_nothing": _NOTHING}
    parameters, lines = ["self"], []
    for name, said in fields.items():
        if not said.init:
            continue
        value = name
        if said.default_factory is not _NOTHING:
            names[f"_make_{name}"] = said.default_factory
            value = f"_make_{name}() if {name} is _nothing else {name}"
            parameters.append(f"{name}=_nothing")
        elif said.default is not _NOTHING:
            names[f"_usual_{name}"] = said.default
            parameters.append(f"{name}=_usual_{name}")
        else:
            parameters.append(name)
        if frozen:  # its slot is asked directly, since `__setattr__` refuses
            names[f"_set_{name}"] = getattr(cls, name).__set__
            lines.append(f"_set_{name}(self, {value})")
        else:
            lines.append(f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    body = "; ".join(lines) or "pass"
    exec(f"def __init__({', '.join(parameters)}): {body}", names)
    written: Callable[..., None] = names["__init__"]
    written.__qualname__ = f"{cls.__qualname__}.__init__"
    written.__module__ = __name__
    return written


def _methods(fields: Mapping[str, _Field], frozen: bool, eq: bool) -> dict[str, Any]:
    """The methods of a record, but for how it is made."""
    methods: dict[str, Any] = {
        "__repr__": _shown,
        "__replace__": replace,
        "__getstate__": _state,
        "__setstate__": _restore,
    }
    if frozen:
        methods |= {"__setattr__": _refuse_setting, "__delattr__": _refuse_deleting}
    if eq:
        compared = attrgetter(*(name for name, field in fields.items() if field.compare))

        def __eq__(self: Any, other: object) -> bool:
            if type(other) is not type(self):
                return NotImplemented
            return bool(compared(self) == compared(other))

        methods["__eq__"] = __eq__
        methods["__hash__"] = (lambda self: hash(compared(self))) if frozen else None
    return methods


@recursive_repr()
def _shown(this: Any) -> str:
    values = (f"{name}={getattr(this, name)!r}" for name in this.__match_args__)
    return f"{type(this).__qualname__}({', '.join(values)})"


def _state(this: Any) -> list[Any]:
    return [getattr(this, name) for name in this.__record_fields__]


def _restore(this: Any, state: list[Any]) -> None:
    for name, value in zip(this.__record_fields__, state, strict=True):
        object.__setattr__(this, name, value)


def _refuse_setting(this: Any, name: str, value: Any) -> None:
    if name in this.__record_fields__:
        _refuse(f"cannot assign to {name!r} of a {type(this).__qualname__}; replace makes a copy")
    object.__setattr__(this, name, value)


def _refuse_deleting(this: Any, name: str) -> None:
    if name in this.__record_fields__:
        _refuse(f"cannot delete {name!r} of a {type(this).__qualname__}")
    object.__delattr__(this, name)


def _refuse(reason: str) -> None:
    import dataclasses  # here: it is what a record does without

    raise dataclasses.FrozenInstanceError(reason)
