"""An item passes the first time that it, or its key, is seen, and never again."""

from minigun_py import Pipeline

pipe = Pipeline("visitors")
pipe.source(["Ann", "bob", "ANN", "Eve", "Bob", "ann"])
pipe.deduplicate(str.lower)  # without a key, "Ann" and "ANN" would be two


@pipe.consumer
def greet(name):
    print("Hello,", name)


if __name__ == "__main__":
    report = pipe.run()
    print(report["deduplicate"].filtered, "had been here before")

# Hello, Ann
# Hello, bob
# Hello, Eve
# 3 had been here before
