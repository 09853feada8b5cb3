"""An item crosses five kinds of context in one pipeline, and the stages need not know of it."""

import os

from minigun_py import Pipeline, current

pipe = Pipeline("hops")
pipe.source([()] * 8)


def hop(trip):
    return *trip, (current().stage, os.getpid())


async def wait(trip):
    return hop(trip)


pipe.processor(hop, name="inline", execution="inline")
pipe.processor(hop, name="thread", execution="thread", workers=3)
pipe.processor(hop, name="fork", execution="fork", workers=2)
pipe.processor(hop, name="process", execution="process")
pipe.processor(wait, name="async", workers=8)


if __name__ == "__main__":
    trips = pipe.collect()
    print(len(trips), "trips")
    for hops in zip(*trips, strict=True):
        (kind,) = {kind for kind, _ in hops}
        here = all(pid == os.getpid() for _, pid in hops)
        print(f"{kind:8}", "in this process" if here else "in another one")

# 8 trips
# inline   in this process
# thread   in this process
# fork     in another one
# process  in another one
# async    in this process
