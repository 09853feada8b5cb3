"""Where work may run is said in words that are understood, or refused with the nearest."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.errors import UsageError
from minigun_py.placement import (
    ALIASES,
    DEFAULT,
    GPU,
    HEAVY_CPU,
    HEAVY_IO,
    LATER_KINDS,
    LIGHT_CPU,
    LIGHT_IO,
    ContextKind,
    ContextSpec,
    Memory,
    ResourceHint,
    parse_kind,
)

# --------------------------------------------------------------------------- kinds


@pytest.mark.parametrize("kind", ContextKind)
def test_a_kind_is_called_by_its_value(kind: ContextKind) -> None:
    assert parse_kind(kind.value) is kind
    assert parse_kind(kind) is kind


@pytest.mark.parametrize(
    ("alias", "kind"),
    [
        ("threaded", ContextKind.THREAD),
        ("fork_ipc", ContextKind.FORK),
        ("spawn_fork", ContextKind.COW_FORK),
        ("ractor", ContextKind.SUBINTERPRETER),
    ],
)
def test_a_word_of_rubys_minigun_is_understood(alias: str, kind: ContextKind) -> None:
    assert parse_kind(alias) is kind


def test_no_alias_hides_a_kind() -> None:
    assert not ALIASES.keys() & (set(ContextKind) | LATER_KINDS)


@pytest.mark.parametrize("kind", sorted(LATER_KINDS))
def test_a_kind_of_a_later_version_is_refused_by_name(kind: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_kind(kind)
    assert str(raised.value) == (
        f"execution {kind!r} is not available in this version of minigun_py"
    )


@pytest.mark.parametrize(
    ("typo", "meant"),
    [("thred", "thread"), ("asink", "async"), ("proces", "process"), ("racter", "ractor")],
)
def test_a_typo_is_refused_with_the_nearest_word(typo: str, meant: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_kind(typo)
    assert str(raised.value) == f"no kind of execution {typo!r}; did you mean {meant!r}?"


@pytest.mark.parametrize("word", ["", "warp", "FORK!"])
def test_a_word_like_no_other_is_refused_with_all_there_are(word: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_kind(word)
    assert str(raised.value) == (
        f"no kind of execution {word!r}; there are inline, thread, async, fork, cow_fork, "
        "subinterpreter, process"
    )


# --------------------------------------------------------------------------- wanted contexts


@pytest.mark.parametrize("workers", [0, -1])
@pytest.mark.parametrize("kind", ContextKind)
def test_a_context_needs_a_worker(kind: ContextKind, workers: int) -> None:
    with pytest.raises(ValueError, match=f"at least one worker, not {workers}"):
        ContextSpec(kind, workers)


def test_inline_has_one_worker() -> None:
    assert ContextSpec(ContextKind.INLINE).workers == 1
    with pytest.raises(ValueError, match="one item at a time; 2 workers need threads"):
        ContextSpec(ContextKind.INLINE, 2)


@pytest.mark.parametrize("kind", [kind for kind in ContextKind if kind is not ContextKind.INLINE])
def test_every_other_kind_may_have_several(kind: ContextKind) -> None:
    assert ContextSpec(kind, 7).workers == 7


def test_a_wanted_context_reads_as_kind_and_number() -> None:
    assert str(ContextSpec(ContextKind.COW_FORK)) == "cow_fork"
    assert str(ContextSpec(ContextKind.FORK, 2)) == "fork x 2"


def test_a_worker_is_kept_and_started_as_its_kind_does_unless_said() -> None:
    spec = ContextSpec(ContextKind.PROCESS, 2)
    assert (spec.max_items, spec.start_method) == (None, None)
    assert spec != ContextSpec(ContextKind.PROCESS, 2, max_items=10, start_method="spawn")


# --------------------------------------------------------------------------- memory


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (1, 1),
        (4096, 4096),
        ("4096", 4096),
        ("1B", 1),
        ("1 kB", 1_000),
        ("2KiB", 2_048),
        ("3MB", 3_000_000),
        ("3MiB", 3 * 2**20),
        ("500 MB", 500_000_000),
        ("2GiB", 2 * 2**30),
        ("1.5 GB", 1_500_000_000),
        ("0.5GiB", 2**29),
        ("1TB", 10**12),
        ("1TiB", 2**40),
        ("  2gib  ", 2 * 2**30),
    ],
)
def test_memory_is_bytes_or_text_with_a_unit(amount: int | str, expected: int) -> None:
    assert Memory(amount) == ResourceHint("Memory", expected)


@pytest.mark.parametrize(
    "amount",
    [0, -1, "", "0", "0GB", "-1GB", "lots", "2 parsecs", "GiB", "1,5GB", "2GiB free", None, "2PB"],
)
def test_what_is_no_amount_of_memory_is_refused(amount: object) -> None:
    with pytest.raises(UsageError) as raised:
        Memory(amount)  # type: ignore[arg-type]
    assert str(raised.value) == (
        f"Memory is a number of bytes, or text such as '2GiB', not {amount!r}"
    )


@given(st.integers(1, 10**6), st.sampled_from("KMGT"), st.sampled_from(["", " "]))
def test_units_with_an_i_are_powers_of_1024_and_the_others_of_1000(
    number: int, prefix: str, space: str
) -> None:
    power = "KMGT".index(prefix) + 1
    assert Memory(f"{number}{space}{prefix}B").amount == number * 1000**power
    assert Memory(f"{number}{space}{prefix}iB").amount == number * 1024**power


# --------------------------------------------------------------------------- devices and hints


@pytest.mark.parametrize("count", [1, 8])
def test_gpus_are_counted(count: int) -> None:
    assert GPU(count) == ResourceHint("GPU", count)


def test_one_gpu_is_meant_if_nothing_is_said() -> None:
    assert GPU() == GPU(1)


@pytest.mark.parametrize("count", [0, -1, 1.0, "1", True, None])
def test_what_is_no_number_of_gpus_is_refused(count: object) -> None:
    with pytest.raises(UsageError) as raised:
        GPU(count)  # type: ignore[arg-type]
    assert str(raised.value) == f"GPU is a whole number of devices from 1 on, not {count!r}"


def test_hints_read_as_they_are_written() -> None:
    assert [str(hint) for hint in (LIGHT_IO, Memory(512), GPU(2))] == [
        "LIGHT_IO",
        "Memory(512)",
        "GPU(2)",
    ]


def test_hints_differ_and_cross_to_other_processes() -> None:
    hints = {LIGHT_CPU, HEAVY_CPU, LIGHT_IO, HEAVY_IO, DEFAULT, Memory(1), Memory(2), GPU(1)}
    assert len(hints) == 8
    assert pickle.loads(pickle.dumps(hints)) == hints
