"""Inline, a pipeline is tested as a function is: in one thread, in order, with no process."""

import pytest

from minigun_py import Pipeline, PipelineFailed

pipe = Pipeline("invoices")
pipe.source(["2 x 4.50", "1 x 12.00"])


@pipe.processor(execution="fork", workers=4, ordered=True)  # in production
def total(line):
    number, _, price = line.partition(" x ")
    return int(number) * float(price)


pipe.batch(2)


@pipe.consumer
def add(totals):
    return sum(totals)


def test_a_stage_is_still_a_function():
    assert total("3 x 1.50") == 4.5


def test_totals_are_added_by_two():
    lines = ["1 x 1.00", "2 x 1.00", "3 x 1.00"]
    assert pipe.collect(lines, execution="inline") == [3.0, 3.0]


def test_a_line_without_a_price_fails_the_run():
    with pytest.raises(PipelineFailed, match="in stage 'total' on item '1 x'"):
        pipe.run(["1 x"], execution="inline")


def test_bad_lines_can_be_counted():
    report = pipe.run(["1 x 1.00", "free"], execution="inline", on_error="skip")
    assert (report["total"].completed, report["total"].skipped) == (1, 1)


if __name__ == "__main__":
    print(pipe.collect())  # as in production

# [21.0]
