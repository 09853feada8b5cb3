"""Leaving the loop over stream() ends the run: the producer is closed and no worker is left."""

import itertools

from minigun_py import Pipeline

pipe = Pipeline("search")


@pipe.producer
def candidates():
    try:
        yield from itertools.count(1)
    finally:
        print("the producer is closed")


@pipe.processor(execution="thread", workers=4, ordered=True)
def squared(n):
    return n, n * n


if __name__ == "__main__":
    with pipe.stream() as results:
        for n, square in results:
            if square > 1_000:
                print(n)
                break

# 32
# the producer is closed
