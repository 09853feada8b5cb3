"""Limits hold for the whole pipeline; the workers that the user wrote are the last to be cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.plan.limits import Fitted, Wanted, cheapest_merge, fit

POOLS = ("threads", "processes")


def want(name: str, workers: int, pool: str | None = "processes", explicit: bool = True) -> Wanted:
    return Wanted(name, pool, workers, explicit)


def workers_of(limit: int, *wanted: Wanted) -> dict[str, int]:
    return fit(wanted, {"processes": limit}).workers


# --------------------------------------------------------------------------- fitting


def test_what_fits_is_left_alone() -> None:
    wanted = [want("a", 3), want("b", 1)]
    assert fit(wanted, {"processes": 4}) == Fitted({"a": 3, "b": 1}, (), None)


def test_nobody_wants_nothing() -> None:
    assert fit([], {"processes": 1, "threads": None}) == Fitted({}, (), None)


def test_without_a_limit_nothing_is_cut() -> None:
    assert fit([want("a", 500)], {"processes": None}).workers == {"a": 500}


def test_what_no_limit_counts_is_never_cut() -> None:
    wanted = [want("a", 100, pool=None), want("b", 9, explicit=False)]
    assert fit(wanted, {"processes": 2, "threads": 2}).workers == {"a": 100, "b": 2}


def test_a_limit_is_for_its_own_pool() -> None:
    wanted = [want("a", 5, "threads"), want("b", 5, "processes")]
    assert fit(wanted, {"threads": 2, "processes": 7}).workers == {"a": 2, "b": 5}


def test_the_one_with_the_most_gives_first() -> None:
    assert workers_of(5, want("a", 2), want("b", 6)) == {"a": 2, "b": 3}


def test_among_equals_the_last_in_flow_order_gives() -> None:
    assert workers_of(8, want("a", 3), want("b", 3), want("c", 3)) == {"a": 3, "b": 3, "c": 2}


def test_who_wrote_no_number_gives_first_even_with_less() -> None:
    assert workers_of(9, want("a", 8), want("b", 3, explicit=False)) == {"a": 8, "b": 1}


def test_each_keeps_a_worker_where_there_are_more_segments_than_workers() -> None:
    fitted = fit([want("a", 4), want("b", 1), want("c", 2, explicit=False)], {"processes": 2})
    assert fitted.workers == {"a": 1, "b": 1, "c": 1}
    assert fitted.too_many == "processes"


def test_as_many_segments_as_workers_still_fit() -> None:
    assert fit([want("a", 4), want("b", 1)], {"processes": 2}).too_many is None


def test_where_both_pools_are_too_small_the_first_limit_is_told() -> None:
    wanted = [want(name, 1, pool) for pool in POOLS for name in (f"{pool}1", f"{pool}2")]
    assert fit(wanted, {"threads": 1, "processes": 1}).too_many == "threads"


def test_a_cut_of_a_written_number_is_told() -> None:
    wanted = [want("scrape", 2, "threads"), want("parse", 8), want("load", 1)]
    assert fit(wanted, {"threads": 1, "processes": 4}).cuts == (
        "stage 'scrape' wants 2 workers and gets 1, since max_threads is 1",
        "stage 'parse' wants 8 workers and gets 3, since max_processes is 4",
    )


def test_a_cut_of_a_number_that_nobody_wrote_is_not_told() -> None:
    assert fit([want("parse", 8, explicit=False)], {"processes": 4}).cuts == ()


# --------------------------------------------------------------------------- laws of fitting

wishes = st.lists(
    st.tuples(st.sampled_from([*POOLS, None]), st.integers(1, 12), st.booleans()), max_size=7
).map(lambda rows: [Wanted(f"s{n}", *row) for n, row in enumerate(rows)])
limits = st.fixed_dictionaries({pool: st.none() | st.integers(1, 20) for pool in POOLS})


def total(fitted: Fitted, wanted: list[Wanted], pool: str) -> int:
    return sum(fitted.workers[want.name] for want in wanted if want.pool == pool)


@given(wishes, limits)
def test_a_limit_is_kept_unless_there_are_more_segments(
    wanted: list[Wanted], given_limits: dict[str, int | None]
) -> None:
    fitted = fit(wanted, given_limits)
    for pool, limit in given_limits.items():
        segments = sum(want.pool == pool for want in wanted)
        if limit is not None:
            assert total(fitted, wanted, pool) <= max(limit, segments)


@given(wishes, limits)
def test_too_many_names_a_pool_with_more_segments_than_its_limit(
    wanted: list[Wanted], given_limits: dict[str, int | None]
) -> None:
    crowded = {
        pool
        for pool, limit in given_limits.items()
        if limit is not None and sum(want.pool == pool for want in wanted) > limit
    }
    named = fit(wanted, given_limits).too_many
    assert named in crowded if crowded else named is None


@given(wishes, limits)
def test_everyone_gets_from_one_to_what_he_wants(
    wanted: list[Wanted], given_limits: dict[str, int | None]
) -> None:
    workers = fit(wanted, given_limits).workers
    assert list(workers) == [want.name for want in wanted]
    assert all(1 <= workers[want.name] <= want.workers for want in wanted)


@given(wishes, limits)
def test_no_more_is_cut_than_the_limit_asks_for(
    wanted: list[Wanted], given_limits: dict[str, int | None]
) -> None:
    fitted = fit(wanted, given_limits)
    for pool, limit in given_limits.items():
        wish = sum(want.workers for want in wanted if want.pool == pool)
        assert total(fitted, wanted, pool) >= (wish if limit is None else min(wish, limit))


@given(wishes, limits)
def test_written_numbers_stay_while_another_could_give(
    wanted: list[Wanted], given_limits: dict[str, int | None]
) -> None:
    workers = fit(wanted, given_limits).workers
    for pool in POOLS:
        members = [want for want in wanted if want.pool == pool]
        if any(workers[want.name] > 1 for want in members if not want.explicit):
            assert all(workers[want.name] == want.workers for want in members if want.explicit)


@given(wishes, limits)
def test_exactly_the_cuts_of_written_numbers_are_told(
    wanted: list[Wanted], given_limits: dict[str, int | None]
) -> None:
    fitted = fit(wanted, given_limits)
    cut = {w.name for w in wanted if w.explicit and fitted.workers[w.name] < w.workers}
    assert {sentence.split("'")[1] for sentence in fitted.cuts} == cut
    assert len(fitted.cuts) == len(cut)


@given(wishes, st.integers(1, 20), st.integers(0, 20))
def test_a_higher_limit_takes_from_nobody(wanted: list[Wanted], limit: int, more: int) -> None:
    tight = fit(wanted, {"processes": limit}).workers
    loose = fit(wanted, {"processes": limit + more}).workers
    assert all(loose[name] >= tight[name] for name in tight)


@given(wishes, limits)
def test_what_was_fitted_fits(wanted: list[Wanted], given_limits: dict[str, int | None]) -> None:
    workers = fit(wanted, given_limits).workers
    again = [Wanted(want.name, want.pool, workers[want.name], want.explicit) for want in wanted]
    assert fit(again, given_limits).workers == workers
    assert fit(again, given_limits).cuts == ()


# --------------------------------------------------------------------------- merging

WORKERS = {"a": 4, "b": 2, "c": 1, "d": 3}


def test_the_pair_with_the_fewest_workers_merges() -> None:
    assert cheapest_merge([("a", "b"), ("b", "c"), ("c", "d")], WORKERS, "abcd") == ("b", "c")


@pytest.mark.parametrize(
    ("candidates", "order", "first"),
    [
        ([("c", "a"), ("b", "d")], "abcd", ("b", "d")),
        ([("c", "a"), ("b", "d")], "cabd", ("c", "a")),
        ([("b", "e"), ("b", "d")], "abcde", ("b", "d")),
        ([("b", "d"), ("b", "e")], "abced", ("b", "e")),
    ],
)
def test_among_equals_the_first_in_flow_order_merges(
    candidates: list[tuple[str, str]], order: str, first: tuple[str, str]
) -> None:
    assert cheapest_merge(candidates, {**WORKERS, "e": 3}, order) == first


def test_without_candidates_nothing_merges() -> None:
    assert cheapest_merge([], WORKERS, "abcd") is None
