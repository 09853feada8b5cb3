"""What holds for every test: nothing is left behind, and generated examples follow a profile."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from support.forked_coverage import free_the_lock_in_children

free_the_lock_in_children()


@pytest.fixture(autouse=True)
def leaves_nothing_behind(no_leaks: None) -> None:
    """Every test is looked at."""


# No deadline anywhere: a slow machine has not broken a promise.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("soak", deadline=None, max_examples=5_000, print_blob=True)

IN_CI = os.environ.get("CI", "").lower() == "true"
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if IN_CI else "dev"))
