"""A batch goes when it is full, and also when its first item has waited long enough."""

import threading

from minigun_py import Pipeline

pipe = Pipeline("meter")
stored = threading.Event()


@pipe.producer
def readings():
    yield from (20.1, 20.4, 20.3, 21.0)
    stored.wait()  # nothing is read for a while, and yet 21.0 shall not wait
    yield 22.5


pipe.batch(3, max_wait=0.5)


@pipe.consumer(execution="thread")
def store(rows):
    print(rows)
    if len(rows) < 3:
        stored.set()


if __name__ == "__main__":
    pipe.run()

# [20.1, 20.4, 20.3]
# [21.0]
# [22.5]
