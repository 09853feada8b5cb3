# pyright: strict
"""What a stage emits has a type, by whichever way it goes."""

from collections.abc import Iterator
from typing import assert_type

from minigun_py import Output, Pipeline, To

pipe = Pipeline("pages")

# ------------------------------------------------------------------ Output[T]


@pipe.processor
def split(text: str, output: Output[str]) -> None:
    output("a")
    output("a", to="words")
    output("a", to=[split, "words"])
    output(1)  # error
    output("a", "words")  # error
    output("a", into="words")  # error


def helper(output: Output[bool]) -> None:
    output(True)


def count(output: Output[int]) -> None:
    helper(output)


def spell(output: Output[str]) -> None:
    helper(output)  # error


# ------------------------------------------------------------------ To[T]


@pipe.processor(routes=["words", "numbers"])
def sort(text: str) -> To[str] | To[int] | None:
    if text.isdigit():
        return To("numbers", int(text))
    return To(["words", split], text) if text else None


@pipe.processor(routes="words")
def some(text: str) -> Iterator[str | To[str]]:
    yield text
    yield To("words", text)
    yield To(pipe["split"], text)
    yield To("words", 1)  # error


@pipe.processor(routes="words")
def wrong(text: str) -> To[bytes]:
    return To("words", text)  # error


sent = To("words", 1)
assert_type(sent, To[int])
assert_type(sent.value, int)
wider: To[object] = sent
narrower: To[bool] = sent  # error
To("words")  # error
