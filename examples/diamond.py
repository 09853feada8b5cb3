"""Two stages get every item, and a third takes what both make of it."""

from minigun_py import Pipeline

pipe = Pipeline("diamond")


@pipe.producer(to=["double", "triple"])
def numbers():
    yield from range(1, 6)


@pipe.processor
def double(n):
    return "double", 2 * n


@pipe.processor
def triple(n):
    return "triple", 3 * n


@pipe.consumer
def merge(made):
    return made


if __name__ == "__main__":
    merged = pipe.collect()
    for branch in ("double", "triple"):
        print(branch, [n for by, n in merged if by == branch])
    print(len(merged), "merged")

# double [2, 4, 6, 8, 10]
# triple [3, 6, 9, 12, 15]
# 10 merged
