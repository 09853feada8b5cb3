"""A hint says what a stage needs; where the program runs decides what serves it best."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.contexts.surroundings import Surroundings
from minigun_py.errors import UsageError
from minigun_py.placement import (
    DEFAULT,
    GPU,
    HEAVY_CPU,
    HEAVY_IO,
    LIGHT_CPU,
    LIGHT_IO,
    ContextKind,
    Memory,
    ResourceHint,
)
from minigun_py.plan.hints import advise, checked_hints, parallel_kind

LINUX = Surroundings(cpus=8, gil=True, can_fork=True, can_subinterpret=True, memory=10_000, gpus=4)
MAC = replace(LINUX, can_fork=False)
OLD_MAC = replace(MAC, can_subinterpret=False)
FREE_THREADED = replace(LINUX, gil=False)

NOTHING = (None, None)
FORK, THREAD, ASYNC = ContextKind.FORK, ContextKind.THREAD, ContextKind.ASYNC
INLINE, PROCESS = ContextKind.INLINE, ContextKind.PROCESS


def placed(
    *hints: ResourceHint, coroutine: bool = False, here: Surroundings = LINUX
) -> tuple[ContextKind | None, int | None]:
    advice = advise(hints, coroutine, here)
    return advice.kind, advice.workers


def reason(*hints: ResourceHint, coroutine: bool = False, here: Surroundings = LINUX) -> str:
    return advise(hints, coroutine, here).reason


def refusal(value: Any) -> str:
    with pytest.raises(UsageError) as raised:
        checked_hints(value, "stage 'x' (job.py:3)")
    where, _, message = str(raised.value).partition(": ")
    assert where == "stage 'x' (job.py:3)"
    return message


# --------------------------------------------------------------------------- kinds


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        (FREE_THREADED, THREAD),
        (LINUX, FORK),
        (MAC, ContextKind.SUBINTERPRETER),
        (OLD_MAC, PROCESS),
    ],
)
def test_the_parallel_kind_is_the_cheapest_there_is(
    here: Surroundings, expected: ContextKind
) -> None:
    assert parallel_kind(here) is expected


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (LIGHT_CPU, (INLINE, 1)),
        (HEAVY_CPU, (FORK, 8)),
        (LIGHT_IO, (THREAD, 4)),
        (HEAVY_IO, (THREAD, 32)),
        (GPU(1), (PROCESS, 4)),
        (GPU(3), (PROCESS, 1)),
        (Memory(1), (FORK, 8)),
        (Memory(2_500), (FORK, 4)),
        (DEFAULT, NOTHING),
    ],
    ids=str,
)
def test_one_hint_alone(hint: ResourceHint, expected: tuple[Any, Any]) -> None:
    assert placed(hint) == expected


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (LIGHT_CPU, (ASYNC, 1)),
        (HEAVY_CPU, (ASYNC, 1)),
        (LIGHT_IO, (ASYNC, 16)),
        (HEAVY_IO, (ASYNC, 100)),
        (GPU(1), (ASYNC, 4)),
        (Memory(1), (ASYNC, 16)),
        (Memory(2_500), (ASYNC, 4)),
        (DEFAULT, NOTHING),
    ],
    ids=str,
)
def test_one_hint_alone_for_a_coroutine(hint: ResourceHint, expected: tuple[Any, Any]) -> None:
    assert placed(hint, coroutine=True) == expected


@pytest.mark.parametrize("here", [LINUX, MAC, OLD_MAC, FREE_THREADED])
@pytest.mark.parametrize("hint", [HEAVY_CPU, Memory(1)], ids=str)
def test_computing_goes_where_python_is_parallel(here: Surroundings, hint: ResourceHint) -> None:
    assert placed(hint, here=here) == (parallel_kind(here), 8)


def test_a_gpu_never_goes_into_forks_even_without_a_lock() -> None:
    assert placed(GPU(1), here=FREE_THREADED)[0] is PROCESS


# --------------------------------------------------------------------------- several hints


@pytest.mark.parametrize(
    ("hints", "expected"),
    [
        ((GPU(1), HEAVY_CPU), (PROCESS, 4)),
        ((GPU(1), HEAVY_IO), (PROCESS, 4)),
        ((HEAVY_CPU, HEAVY_IO), (FORK, 8)),
        ((HEAVY_CPU, LIGHT_IO), (FORK, 4)),
        ((HEAVY_IO, LIGHT_CPU), (THREAD, 32)),
        ((LIGHT_IO, LIGHT_CPU), (THREAD, 4)),
        ((HEAVY_CPU, LIGHT_CPU), (FORK, 8)),
        ((HEAVY_CPU, DEFAULT), (FORK, 8)),
    ],
    ids=str,
)
def test_the_weightier_hint_decides_the_kind_whatever_the_order(
    hints: tuple[ResourceHint, ...], expected: tuple[Any, Any]
) -> None:
    assert placed(*hints) == placed(*reversed(hints)) == expected


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (HEAVY_IO, (THREAD, 4)),
        (HEAVY_CPU, (FORK, 4)),
        (LIGHT_CPU, (INLINE, 1)),
        (GPU(2), (PROCESS, 2)),
    ],
    ids=str,
)
def test_memory_beside_another_hint_only_bounds_the_number(
    hint: ResourceHint, expected: tuple[Any, Any]
) -> None:
    assert placed(hint, Memory(2_500)) == expected


@pytest.mark.parametrize("other", [HEAVY_IO, LIGHT_IO, GPU(1), Memory(1)], ids=str)
def test_a_coroutine_that_also_computes_runs_alone(other: ResourceHint) -> None:
    assert placed(HEAVY_CPU, other, coroutine=True) == (ASYNC, 1)


def test_memory_is_no_reason_for_fewer_threads_than_fit() -> None:
    assert placed(HEAVY_IO, Memory(1)) == (THREAD, 32)


def test_one_worker_runs_even_where_memory_is_too_small_for_it() -> None:
    assert placed(HEAVY_IO, Memory(10_001)) == (THREAD, 1)


def test_where_memory_is_unknown_it_bounds_nothing() -> None:
    assert placed(Memory(10_001), here=replace(LINUX, memory=None)) == (FORK, 8)


@pytest.mark.parametrize("coroutine", [False, True])
def test_one_worker_runs_even_without_a_gpu(coroutine: bool) -> None:
    assert placed(GPU(2), coroutine=coroutine, here=replace(LINUX, gpus=0))[1] == 1


@pytest.mark.parametrize("hints", [(), (DEFAULT,), (DEFAULT, DEFAULT)])
def test_who_hints_at_nothing_is_advised_nothing(hints: tuple[ResourceHint, ...]) -> None:
    assert placed(*hints) == placed(*hints, coroutine=True) == NOTHING
    assert reason(*hints) == "no hint says where it should run"


# --------------------------------------------------------------------------- reasons


@pytest.mark.parametrize(
    ("here", "because"),
    [
        (LINUX, "Python has a global lock here, so processes"),
        (FREE_THREADED, "Python has no global lock here, so threads"),
        (MAC, "Python has a global lock here, so interpreters"),
        (OLD_MAC, "Python has a global lock here and cannot fork, so processes"),
    ],
)
def test_the_reason_says_why_this_kind(here: Surroundings, because: str) -> None:
    assert reason(HEAVY_CPU, here=here) == f"HEAVY_CPU: {because}"


def test_the_reason_says_which_hint_bounded_the_number() -> None:
    assert reason(Memory(5_000), HEAVY_IO) == (
        "HEAVY_IO: it mostly waits, so many threads; "
        "Memory(5000): 10000 bytes are here, so at most 2"
    )


def test_a_coroutine_that_computes_is_told_to_be_a_function() -> None:
    assert "write def instead of async def" in reason(HEAVY_CPU, coroutine=True)


# --------------------------------------------------------------------------- laws

constants = [LIGHT_CPU, HEAVY_CPU, LIGHT_IO, HEAVY_IO, DEFAULT]
hint_lists = st.lists(
    st.sampled_from(constants) | st.integers(1, 20_000).map(Memory) | st.integers(1, 9).map(GPU),
    max_size=4,
)
places = st.builds(
    Surroundings,
    cpus=st.integers(1, 64),
    gil=st.booleans(),
    can_fork=st.booleans(),
    can_subinterpret=st.booleans(),
    memory=st.none() | st.integers(1, 100_000),
    gpus=st.integers(0, 8),
)


@given(hint_lists, st.booleans(), places, st.randoms())
def test_the_order_of_hints_does_not_matter(
    hints: list[ResourceHint], coroutine: bool, here: Surroundings, random: Any
) -> None:
    shuffled = random.sample(hints, len(hints))
    assert placed(*hints, coroutine=coroutine, here=here) == placed(
        *shuffled, coroutine=coroutine, here=here
    )


@given(hint_lists, places)
def test_a_coroutine_stays_a_coroutine(hints: list[ResourceHint], here: Surroundings) -> None:
    kind, _ = placed(*hints, coroutine=True, here=here)
    assert kind is (ASYNC if set(hints) - {DEFAULT} else None)


@given(hint_lists, st.booleans(), places)
def test_no_advice_asks_for_more_memory_or_devices_than_there_are_for_the_second_worker(
    hints: list[ResourceHint], coroutine: bool, here: Surroundings
) -> None:
    _, workers = placed(*hints, coroutine=coroutine, here=here)
    for hint in hints:
        there = {"Memory": here.memory, "GPU": here.gpus}.get(hint.name)
        if there is not None and workers is not None and workers > 1:
            assert workers * hint.amount <= there


@given(hint_lists, st.booleans(), places)
def test_advice_can_be_followed(
    hints: list[ResourceHint], coroutine: bool, here: Surroundings
) -> None:
    kind, workers = placed(*hints, coroutine=coroutine, here=here)
    assert (kind is None) == (workers is None)
    assert workers is None or workers >= 1
    assert kind is not INLINE or workers == 1
    assert kind is not FORK or here.can_fork


# --------------------------------------------------------------------------- checking


@pytest.mark.parametrize(
    ("given_value", "kept"),
    [
        (HEAVY_CPU, (HEAVY_CPU,)),
        ([HEAVY_CPU, Memory("1GB")], (HEAVY_CPU, Memory("1GB"))),
        ((GPU(2), DEFAULT), (GPU(2), DEFAULT)),
        ([], ()),
    ],
)
def test_one_hint_or_several_are_kept(given_value: Any, kept: tuple[ResourceHint, ...]) -> None:
    assert checked_hints(given_value, "x") == kept


THERE_ARE = 'there are LIGHT_CPU, HEAVY_CPU, LIGHT_IO, HEAVY_IO, DEFAULT, Memory("2GiB"), GPU(1)'


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "HEAVY_CPU",
            "a resource hint is a constant, not the text 'HEAVY_CPU'; "
            "import HEAVY_CPU and give that",
        ),
        (
            "heavy-io",
            "a resource hint is a constant, not the text 'heavy-io'; import HEAVY_IO and give that",
        ),
        (
            "gpu(2)",
            "a resource hint is a constant, not the text 'gpu(2)'; "
            "import GPU and call it, as in GPU(1)",
        ),
        ("2GiB", f"a resource hint is a constant, not the text '2GiB'; {THERE_ARE}"),
        (Memory, 'Memory needs an amount; call it, as in Memory("2GiB")'),
        (GPU, "GPU needs an amount; call it, as in GPU(1)"),
        (ResourceHint("GPU"), "GPU needs an amount; call it, as in GPU(1)"),
        (None, f"no resource hint None; {THERE_ARE}"),
        (3, f"no resource hint 3; {THERE_ARE}"),
        ({HEAVY_CPU}, f"no resource hint { ({HEAVY_CPU})!r}; {THERE_ARE}"),
        (ResourceHint("TPU"), f"no resource hint {ResourceHint('TPU')!r}; {THERE_ARE}"),
        ([HEAVY_IO, len], f"no resource hint {len!r}; {THERE_ARE}"),
        ([Memory(5), Memory(6)], "Memory(5) and Memory(6) cannot both hold; give one of them"),
        ([GPU(1), HEAVY_IO, GPU(1)], "GPU(1) and GPU(1) cannot both hold; give one of them"),
    ],
)
def test_what_is_no_hint_is_refused_with_what_would_be_right(value: Any, message: str) -> None:
    assert refusal(value) == message
