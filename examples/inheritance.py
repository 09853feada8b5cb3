"""A job is a class: a subclass adds stages, overrides them by name, and redirects the flow."""

from minigun_py import Job, consumer, processor, producer


class Base(Job):
    def __init__(self, top: int):
        self.top = top

    @producer
    def numbers(self):
        yield from range(1, self.top + 1)

    @processor
    def double(self, n):
        return 2 * n

    @consumer
    def keep(self, n):
        return n


class Skip(Base):
    reroutes = {"numbers": ["keep"]}  # around `double`, which is left out


class Insert(Base):
    reroutes = {"double": ["triple"], "triple": ["keep"]}

    @processor
    def triple(self, n):
        return 3 * n


class Override(Insert):
    def double(self, n):
        return -super().double(n)


if __name__ == "__main__":
    for job in (Base, Skip, Insert, Override):
        print(f"{job.__name__:8}", *job(5).pipe.collect())

# Base     2 4 6 8 10
# Skip     1 2 3 4 5
# Insert   6 12 18 24 30
# Override -6 -12 -18 -24 -30
