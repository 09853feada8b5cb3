"""A stage decides for each item where it goes: `routes` declares the ways, `To` takes one."""

from minigun_py import Pipeline, To

pipe = Pipeline("orders")
pipe.source(["3 apples", "no pears", "500 plums", "12 figs"])


@pipe.processor(routes=["by_post", "by_lorry", "refused"])
def sort(order):
    number, _, fruit = order.partition(" ")
    if not number.isdigit():
        return To("refused", order)
    return To("by_lorry" if int(number) > 100 else "by_post", fruit)


@pipe.consumer
def by_post(fruit):
    print("by post:", fruit)


@pipe.consumer
def by_lorry(fruit):
    print("by lorry:", fruit)


@pipe.consumer
def refused(order):
    print("refused:", order)


if __name__ == "__main__":
    pipe.run()

# by post: apples
# refused: no pears
# by lorry: plums
# by post: figs
