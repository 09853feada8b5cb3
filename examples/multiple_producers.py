"""Several sources feed the same stage, which ends when the last of them has ended."""

from minigun_py import Pipeline

pipe = Pipeline("post")


@pipe.producer
def letters():
    yield from (f"letter {n}" for n in range(10))


@pipe.producer
def parcels():
    yield from (f"parcel {n}" for n in range(5))


pipe.source(["card 0", "card 1", "card 2"], name="cards")


@pipe.processor(execution="thread", workers=2)
def weigh(item):
    return item, len(item)


@pipe.consumer
def deliver(weighed):
    return weighed


if __name__ == "__main__":
    report = pipe.run()
    for stage in ("letters", "parcels", "cards"):
        print(stage, report[stage].emitted)
    print("delivered", report["deliver"].completed)

# letters 10
# parcels 5
# cards 3
# delivered 18
