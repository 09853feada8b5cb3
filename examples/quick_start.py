"""A producer, two forked workers, a batch and a consumer: the smallest whole pipeline."""

from minigun_py import Pipeline

pipe = Pipeline("primes")


@pipe.producer
def limits():
    yield from (10, 100, 1_000, 10_000)


@pipe.processor(execution="fork", workers=2, ordered=True)
def count(limit):
    return limit, sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(2, limit))


pipe.batch(3)


@pipe.consumer
def show(rows):
    print(rows)


if __name__ == "__main__":
    pipe.run()

# [(10, 4), (100, 25), (1000, 168)]
# [(10000, 1229)]
