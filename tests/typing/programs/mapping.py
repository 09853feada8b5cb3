# pyright: strict
"""`pmap` gives what its function returns, and takes what its function takes."""

from collections.abc import Iterator
from typing import assert_type

from minigun_py import pmap


def length(text: str) -> int:
    return len(text)


def found(text: str) -> int | None:
    return text.find("a") or None


async def fetch(text: str) -> bytes:
    return text.encode()


def sized(text: str, state: int) -> float:
    return len(text) / state


async def asked(text: str, state: int) -> float:
    return len(text) / state


assert_type(pmap(length, ["a"]), Iterator[int])
assert_type(pmap(length, {"a": 1}, workers=2, ordered=False, chunk=1), Iterator[int])
assert_type(pmap(found, ["a"]), Iterator[int | None])
assert_type(pmap(fetch, ["a"], execution="async"), Iterator[bytes])
assert_type(pmap(sized, ["a"], setup=lambda: 1), Iterator[float])
assert_type(pmap(asked, ["a"], setup=lambda: 1), Iterator[float])
assert_type(pmap(str.upper, ["a"]), Iterator[str])
assert_type(pmap(int, ["1"]), Iterator[int])
assert_type(pmap(lambda text: text.upper(), ["a"]), Iterator[str])

for number in pmap(length, ["a"]):
    assert_type(number, int)

pmap(length, [1])  # error
pmap(length, "a", "b")  # error
pmap(length)  # error
pmap(length, ["a"], wokers=2)  # error
pmap(length, ["a"], workers="many")  # error
pmap(length, ["a"], ordered="yes")  # error
pmap(length, ["a"], name="length")  # error
