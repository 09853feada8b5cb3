"""One stage deals its items to three others in turn; a consumer joins the branches."""

from minigun_py import Pipeline

pipe = Pipeline("checkout")


@pipe.producer(to=["left", "middle", "right"], routing="round_robin")
def customers():
    yield from range(1, 8)


for desk in ("left", "middle", "right"):
    pipe.processor(lambda customer, desk=desk: (desk, customer), name=desk)


@pipe.consumer
def paid(visit):
    return visit


if __name__ == "__main__":
    report = pipe.run()
    print({desk: report[desk].completed for desk in ("left", "middle", "right")})
    print("paid:", report["paid"].received)

# {'left': 3, 'middle': 2, 'right': 2}
# paid: 7
