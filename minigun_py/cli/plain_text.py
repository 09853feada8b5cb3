"""Text from outside made fit for a terminal.

Names of stages, items and messages of errors come from the user's data, where an escape sequence
could move the cursor, change the title of the window or hide what follows.
"""

from __future__ import annotations

__all__ = ["one_line", "without_controls"]

LONGEST = 200


def without_controls(text: str) -> str:
    """The text with its lines kept, and every other unprintable character as an escape."""
    return "".join(c if c.isprintable() or c in "\n\t" else _escape(c) for c in text)


def one_line(value: object, longest: int = LONGEST) -> str:
    """The value's text on one line of at most `longest` characters."""
    text = str(value)
    if len(text) > longest:
        text = text[: longest - 3] + "..."
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
