"""One stage deals its items to three others in turn; a consumer joins the branches."""

from minigun_py import Pipeline, current

DESKS = ("left", "middle", "right")

pipe = Pipeline("checkout")


@pipe.producer(to=DESKS, routing="round_robin")
def customers():
    yield from range(1, 8)


def serve(customer):
    return current().stage, customer


for desk in DESKS:
    pipe.processor(serve, name=desk)


@pipe.consumer
def paid(visit):
    print(*visit)


if __name__ == "__main__":
    report = pipe.run()
    print(report["paid"].received, "have paid")

# left 1
# middle 2
# right 3
# left 4
# middle 5
# right 6
# left 7
# 7 have paid
