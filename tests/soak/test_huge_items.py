"""An item may be larger than a signed 32-bit length says."""

from __future__ import annotations

import os

from minigun_py import Pipeline

SOAKING = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
SIZE = 2**31 + 5 if SOAKING else 2**24 + 5
"""Bytes of the item: over two gigabytes in a soak, which takes six of memory and a minute."""


def test_an_item_of_any_size_crosses_to_a_process_and_back() -> None:
    pipe = Pipeline("huge")
    pipe.source([SIZE])
    pipe.processor(bytes, name="make", execution="fork")
    pipe.processor(bytearray, name="copy", execution="fork")
    seen: list[tuple[int, bytes]] = []
    pipe.consumer(lambda item: seen.append((len(item), bytes(item[-3:]))), name="look")
    pipe.run()
    assert seen == [(SIZE, bytes(3))]
