"""A worker that is killed costs the one item it was running, and is replaced."""

import os
import signal

from minigun_py import Pipeline

pipe = Pipeline("risky")
pipe.source(range(10))


@pipe.processor(execution="fork", workers=2, ordered=True, on_error="skip")
def work(n):
    if n == 5:
        os.kill(os.getpid(), signal.SIGKILL)  # what a system out of memory would do
    return n


if __name__ == "__main__":
    with pipe.stream() as results:
        print(*results)
    for failed in results.report.failures:
        print(failed.item, "-", failed.error)

# 0 1 2 3 4 6 7 8 9
# 5 - the worker was killed by SIGKILL
