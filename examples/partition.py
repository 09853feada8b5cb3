"""All items of a key go the same way, in order, in this run and in every other, on any machine."""

from minigun_py import Pipeline, current

ORDERS = [("Oslo", 1), ("Rome", 2), ("Bern", 3), ("Oslo", 4), ("Rome", 5), ("Oslo", 6)]

pipe = Pipeline("orders")
pipe.source(ORDERS, to=["left", "right"], routing="partition", key=lambda order: order[0])


def book(order):
    return current().stage, *order


for desk in ("left", "right"):
    pipe.consumer(book, name=desk, execution="fork")


if __name__ == "__main__":
    booked = pipe.collect()
    for desk in ("left", "right"):
        print(f"{desk:6}", *(f"{city}-{number}" for by, city, number in booked if by == desk))

# left   Oslo-1 Bern-3 Oslo-4 Oslo-6
# right  Rome-2 Rome-5
