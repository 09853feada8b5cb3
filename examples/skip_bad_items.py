"""Items that fail are left out, counted and listed; the run goes on."""

from minigun_py import Pipeline

pipe = Pipeline("prices")
pipe.source(["1.50", "free", "2.25"])


@pipe.processor(on_error="skip")
def parse(text):
    return float(text)


if __name__ == "__main__":
    with pipe.stream() as prices:
        print(sum(prices))
    for failed in prices.report.failures:
        print(f"{failed.stage}: {failed.item!r}: {failed.error}")

# 3.75
# parse: 'free': could not convert string to float: 'free'
