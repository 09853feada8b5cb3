"""pmap is map with several workers: lazy, in order, and fine with an endless input."""

import itertools

from minigun_py import pmap


def collatz(n):
    steps = 0
    while n > 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps


if __name__ == "__main__":
    for n, steps in enumerate(pmap(collatz, itertools.count(1), workers=2), start=1):
        if steps > 110:
            print(n, "takes", steps, "steps")
            break

# 27 takes 111 steps
