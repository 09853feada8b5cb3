"""Text from outside cannot do anything to a terminal."""

from __future__ import annotations

import pytest

from minigun_py.cli.plain_text import one_line, without_controls


@pytest.mark.parametrize("text", ["\x1b[2J", "\r", "\b", "\x9b1m", "\u202e", "\udc80", "\x00"])
def test_control_characters_are_written_as_escapes(text: str) -> None:
    for clean in (one_line(text), without_controls(text)):
        assert clean.isprintable()
        assert clean.startswith("\\")


def test_text_over_several_lines_keeps_them() -> None:
    assert without_controls("a\n\tb") == "a\n\tb"


def test_one_line_is_one_line_and_no_longer_than_it_may_be() -> None:
    assert one_line("a\nb") == "a\\nb"
    assert one_line("é" * 300) == "é" * 197 + "..."
    assert one_line("abcdef", 5) == "ab..."
