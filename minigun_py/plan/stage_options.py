"""The options of a stage as types, for those who write and those who check programs.

What can be said depends on what says the rest by itself: a batch has a parameter ``key`` of its
own. So the options stand in several types, which `StageOptions` has all in one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, TypedDict

from minigun_py.placement import ResourceHint
from minigun_py.primitives.retry import Retry

__all__ = [
    "BatchOptions",
    "BlockDefaults",
    "EdgeOptions",
    "MappedOptions",
    "NestedOptions",
    "PipelineDefaults",
    "ReadyMadeOptions",
    "SharedOptions",
    "StageOptions",
    "UnkeyedOptions",
    "UnnamedOptions",
]


class _Named(Protocol):
    """A stage or a pipeline."""

    @property
    def name(self) -> str: ...


_Reference = str | Callable[..., Any] | _Named
_References = _Reference | Sequence[_Reference]
_OfItem = Callable[[Any], Any] | Callable[[Any, Any], Any]
"""A function of an item; in a `Job` it may be a method."""
_OnError = Literal["fail", "skip", "dead_letter"] | _OfItem


class EdgeOptions(TypedDict, total=False):
    """What can be said of stages and of whole pipelines."""

    to: _References | None
    from_: _References


class SharedOptions(EdgeOptions, total=False):
    """What can be said of every stage."""

    routes: _References
    feedback: _References
    routing: Literal["broadcast", "round_robin", "least_loaded", "partition"] | _OfItem
    queue_size: int
    queue_bytes: int | str
    chunk: int | None
    on_error: _OnError | None
    dead_letter: _Reference | None
    max_failures: float | None
    rate: str | None
    retry: int | Retry | None
    timeout: float | None
    stream: bool
    stream_outputs: bool
    resources: ResourceHint | Sequence[ResourceHint]
    setup: Callable[[], Any] | Callable[[Any], Any] | None
    teardown: _OfItem | None
    max_items_per_worker: int | None
    max_rss: int | str | None
    start_method: Literal["spawn", "forkserver"] | None
    fallback: Literal["nearest", "error"]
    ack: _OfItem | None


class MappedOptions(SharedOptions, total=False):
    """What can be said of the stage that `pmap` makes."""

    key: _OfItem | None


class ReadyMadeOptions(SharedOptions, total=False):
    """What can be said of a stage whose name and key are parameters of its own."""

    execution: str | None
    workers: int | Literal["auto"] | None
    ordered: bool


class UnnamedOptions(ReadyMadeOptions, total=False):
    """What can be said of a stage whose name is a parameter of its own."""

    key: _OfItem | None


class UnkeyedOptions(ReadyMadeOptions, total=False):
    """What can be said of a stage whose key is a parameter of its own."""

    name: str


class StageOptions(UnkeyedOptions, total=False):
    """What can be said of a stage, by keyword; the reference tells what each means."""

    key: _OfItem | None


class BatchOptions(StageOptions, total=False):
    """What can be said of a batch in the body of a `Job`."""

    max_bytes: int | None
    max_pending: int | None


class _Defaults(TypedDict, total=False):
    execution: str | None
    workers: int | Literal["auto"] | None
    queue_size: int
    queue_bytes: int | str
    on_error: _OnError | None
    retry: int | Retry | None
    timeout: float | None


class BlockDefaults(_Defaults, total=False):
    """What can be said for the stages of a block."""

    chunk: int | None
    start_method: Literal["spawn", "forkserver"] | None
    fallback: Literal["nearest", "error"]
    max_items_per_worker: int | None


class PipelineDefaults(_Defaults, total=False):
    """What can be said for the stages of a pipeline."""

    max_threads: int | None
    max_processes: int | None


class NestedOptions(PipelineDefaults, EdgeOptions, total=False):
    """What can be said of a pipeline that is declared within another."""
