"""Options are checked when they are given, and nothing is ever ignored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from minigun_py.errors import UsageError
from minigun_py.placement import (
    HEAVY_CPU,
    HEAVY_IO,
    LATER_KINDS,
    LIGHT_CPU,
    ContextKind,
    Memory,
)
from minigun_py.plan.options import (
    Ground,
    Options,
    checked_options,
    nearest,
)
from minigun_py.plan.rate import Rate

KINDS = ", ".join(ContextKind)
ROUTINGS = "'broadcast', 'round_robin', 'least_loaded', 'partition'"


def twice(item: Any) -> Iterator[Any]:
    yield item


async def wait(item: Any) -> Any:
    return item


def refusal(**options: Any) -> str:
    with pytest.raises(UsageError) as raised:
        checked_options(options, "stage 'x' (job.py:3)")
    where, _, message = str(raised.value).partition(": ")
    assert where == "stage 'x' (job.py:3)"
    return message


def test_who_says_nothing_gets_the_defaults() -> None:
    assert checked_options({}, "x") == Options(
        execution=None,
        workers=None,
        to=None,
        from_=(),
        routes=(),
        feedback=(),
        routing="broadcast",
        key=None,
        ordered=False,
        queue_size=1000,
        chunk=None,
        on_error=None,
        rate=None,
        stream=False,
        resources=(),
        setup=None,
        teardown=None,
        max_items_per_worker=None,
        start_method=None,
        fallback="nearest",
        ground=Ground(),
    )


@pytest.mark.parametrize(
    ("option", "given", "kept"),
    [
        ("execution", None, None),
        ("execution", "inline", ContextKind.INLINE),
        ("execution", "thread", ContextKind.THREAD),
        ("execution", "fork", ContextKind.FORK),
        ("execution", ContextKind.FORK, ContextKind.FORK),
        ("workers", None, None),
        ("workers", 1, 1),
        ("workers", 64, 64),
        ("workers", "auto", "auto"),
        ("to", None, None),
        ("to", "a", ("a",)),
        ("to", ["a", "b"], ("a", "b")),
        ("to", ("a", len), ("a", len)),
        ("to", [], ()),
        ("to", len, (len,)),
        ("from_", None, ()),
        ("from_", "a", ("a",)),
        ("from_", ["a", "b"], ("a", "b")),
        ("routing", "broadcast", "broadcast"),
        ("routing", "round_robin", "round_robin"),
        ("routing", "least_loaded", "least_loaded"),
        ("routing", "partition", "partition"),
        ("routing", len, len),
        ("routes", "a", ("a",)),
        ("routes", ["a", len], ("a", len)),
        ("routes", None, ()),
        ("feedback", "a", ("a",)),
        ("key", None, None),
        ("key", len, len),
        ("rate", None, None),
        ("rate", "20/s", Rate(0.05, "20/s")),
        ("rate", "30/min", Rate(2.0, "30/min")),
        ("stream", True, True),
        ("ordered", True, True),
        ("ordered", False, False),
        ("queue_size", 1, 1),
        ("chunk", None, None),
        ("chunk", 7, 7),
        ("on_error", "fail", "fail"),
        ("on_error", "skip", "skip"),
        ("on_error", "dead_letter", "dead_letter"),
        ("on_error", len, len),
        ("on_error", None, None),
        ("dead_letter", "bad", "bad"),
        ("dead_letter", len, len),
        ("max_failures", 0, 0),
        ("max_failures", 3, 3),
        ("max_failures", 0.05, 0.05),
        ("execution", "fork_ipc", ContextKind.FORK),
        *(("execution", kind.value, kind) for kind in ContextKind),
        ("resources", [], ()),
        ("resources", HEAVY_CPU, (HEAVY_CPU,)),
        ("resources", [HEAVY_IO, Memory("1GiB")], (HEAVY_IO, Memory("1GiB"))),
        ("resources", (LIGHT_CPU,), (LIGHT_CPU,)),
        ("setup", None, None),
        ("setup", dict, dict),
        ("teardown", None, None),
        ("teardown", print, print),
        ("max_items_per_worker", None, None),
        ("max_items_per_worker", 1, 1),
        ("start_method", None, None),
        ("start_method", "spawn", "spawn"),
        ("start_method", "forkserver", "forkserver"),
        ("fallback", "nearest", "nearest"),
        ("fallback", "error", "error"),
    ],
)
def test_a_right_value_is_kept(option: str, given: Any, kept: Any) -> None:
    assert getattr(checked_options({option: given}, "x"), option) == kept


@pytest.mark.parametrize(
    ("option", "given", "message"),
    [
        ("execution", "thred", "no kind of execution 'thred'; did you mean 'thread'?"),
        ("execution", "proces", "no kind of execution 'proces'; did you mean 'process'?"),
        ("execution", "warp", f"no kind of execution 'warp'; there are {KINDS}"),
        ("execution", 3, f"no kind of execution 3; there are {KINDS}"),
        ("execution", ["fork"], "no kind of execution ['fork']; did you mean 'fork'?"),
        ("workers", 0, "workers is a whole number from 1 on, not 0"),
        ("workers", -1, "workers is a whole number from 1 on, not -1"),
        ("workers", 1.5, "workers is a whole number from 1 on, not 1.5"),
        ("workers", True, "workers is a whole number from 1 on, not True"),
        ("workers", "many", "workers is a whole number from 1 on, not 'many'"),
        ("queue_size", 0, "queue_size is a whole number from 1 on, not 0"),
        ("queue_size", None, "queue_size is a whole number from 1 on, not None"),
        ("chunk", 0, "chunk is a whole number from 1 on, not 0"),
        ("chunk", "all", "chunk is a whole number from 1 on, not 'all'"),
        ("ordered", 1, "ordered is True or False, not 1"),
        ("ordered", None, "ordered is True or False, not None"),
        ("routing", "broadcst", "no routing 'broadcst'; did you mean 'broadcast'?"),
        ("routing", None, f"no routing None; there are {ROUTINGS}"),
        ("routing", twice, "routing is a plain function that returns, and not a generator"),
        ("key", "name", "key is a function, not 'name'"),
        ("key", wait, "key is a plain function that returns, and not a coroutine function"),
        ("rate", "20", "rate is a text like '20/s', '100/min' or '5/h', not '20'"),
        ("rate", 20, "rate is a text like '20/s', '100/min' or '5/h', not 20"),
        ("stream", "yes", "stream is True or False, not 'yes'"),
        ("on_error", "skp", "no on_error 'skp'; did you mean 'skip'?"),
        (
            "on_error",
            3,
            "no on_error 3; there are 'fail', 'skip', 'dead_letter'",
        ),
        ("dead_letter", ["a", "b"], "dead_letter is one stage, not ['a', 'b']"),
        (
            "max_failures",
            -1,
            "max_failures is a whole number, or a share of all items below 1, not -1",
        ),
        (
            "max_failures",
            1.5,
            "max_failures is a whole number, or a share of all items below 1, not 1.5",
        ),
        (
            "max_failures",
            float("inf"),
            "max_failures is a whole number, or a share of all items below 1, not inf",
        ),
        (
            "max_failures",
            True,
            "max_failures is a whole number, or a share of all items below 1, not True",
        ),
        ("setup", 5, "setup is a function, not 5"),
        ("setup", "connect", "setup is a function, not 'connect'"),
        ("teardown", [], "teardown is a function, not []"),
        (
            "max_items_per_worker",
            0,
            "max_items_per_worker is a whole number from 1 on, not 0",
        ),
        (
            "max_items_per_worker",
            True,
            "max_items_per_worker is a whole number from 1 on, not True",
        ),
        ("start_method", "spwn", "no start_method 'spwn'; did you mean 'spawn'?"),
        ("start_method", "fork", "no start_method 'fork'; there are 'spawn', 'forkserver'"),
        ("fallback", "none", "no fallback 'none'; there are 'nearest', 'error'"),
        ("fallback", "nearst", "no fallback 'nearst'; did you mean 'nearest'?"),
        ("fallback", None, "no fallback None; there are 'nearest', 'error'"),
    ],
)
def test_a_wrong_value_is_refused_with_what_would_be_right(
    option: str, given: Any, message: str
) -> None:
    assert refusal(**{option: given}) == message


@pytest.mark.parametrize("kind", sorted(LATER_KINDS))
def test_a_kind_of_a_later_version_is_refused_by_name(kind: str) -> None:
    assert refusal(execution=kind) == (
        f"execution {kind!r} is not available in this version of minigun_py"
    )


def test_a_value_of_a_later_version_is_refused_as_such() -> None:
    assert refusal(workers=(1, 4)).endswith("is not available in this version")


@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_a_dead_letter_that_would_never_come_is_refused(on_error: str) -> None:
    said = refusal(dead_letter="bad", on_error=on_error)
    assert said.startswith(f"with on_error={on_error!r} no failed item would reach its dead_letter")


def test_a_number_of_failures_beside_none_is_refused() -> None:
    said = refusal(max_failures=3, on_error="fail")
    assert said.startswith("with on_error='fail' the first failure ends the run")


@pytest.mark.parametrize(
    ("typo", "meant"),
    [("worker", "workers"), ("from", "from_"), ("que_size", "queue_size"), ("oder", "ordered")],
)
def test_an_unknown_option_is_refused_with_the_nearest(typo: str, meant: str) -> None:
    message = refusal(**{typo: 1})
    assert message.startswith(f"there is no option {typo!r}; did you mean ")
    assert repr(meant) in message


def test_the_nearest_of_nothing_is_nothing() -> None:
    assert nearest("a", []) == ""


def test_the_nearest_are_at_most_three() -> None:
    assert nearest("aaaa", ["aaab", "aaac", "aaad", "aaae"]).count(" or ") == 2
