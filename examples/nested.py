"""A pipeline is a part of another: its first stages are fed, what its last ones emit flows on."""

from minigun_py import Pipeline

words = Pipeline("words")  # complete in itself, so it can be tested and used elsewhere


@words.processor
def split(line):
    yield from line.split()


@words.processor
def lower(word):
    return word.lower()


pipe = Pipeline("poem")
pipe.source(["A rose is a rose", "is a ROSE"])
pipe.add(words)

with pipe.pipeline("count") as count:  # or declared in its place
    count.deduplicate()

    @count.processor
    def length(word):
        return word, len(word)


@pipe.consumer
def show(word):
    print(*word)


if __name__ == "__main__":
    print(words.collect(["Used ALONE"]))
    report = pipe.run()
    print({path: stage.emitted for path, stage in report.stages.items() if "." in path})

# ['used', 'alone']
# a 1
# rose 4
# is 2
# {'words.split': 8, 'words.lower': 8, 'count.deduplicate': 3, 'count.length': 3}
