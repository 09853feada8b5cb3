# pyright: strict
"""`settle` gives what its jobs return, by name, with how each ended."""

from typing import assert_type

from minigun_py import ParallelExecutor, Settled, settle


def length(text: str) -> int:
    return len(text)


def four() -> int:
    return 4


async def fetch(text: str) -> bytes:
    return text.encode()


assert_type(settle(["a"], length), Settled[int])
assert_type(settle({"a": four}, max_concurrency=2, timeout=5), Settled[int])
assert_type(settle(["a"], fetch, retry=2), Settled[bytes])
assert_type(settle(["a"], length).values, dict[str, int])

for name, result in settle(["a"], length).results.items():
    assert_type(name, str)
    assert_type(result.duration, float)

ParallelExecutor(2, timeout=3).execute(["a"], length)
settle(["a"], length, workers=2)  # error
settle(["a"], four)  # error
settle({"a": length})  # error
