"""Text from outside cannot do anything to a terminal."""

from __future__ import annotations

import pytest

from minigun_py.plain_text import one_line, printable, without_controls, without_secrets


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


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("{'user': 'eve', 'password': 'hunter2'}", "{'user': 'eve', 'password': ***}"),
        ("Login(passwd='it\\'s', user='eve')", "Login(passwd=***, user='eve')"),
        ("AWS_SECRET_ACCESS_KEY=abc123 next", "AWS_SECRET_ACCESS_KEY=*** next"),
        ("https://x.org/?api_key=abc&page=2", "https://x.org/?api_key=***&page=2"),
        ("postgres://eve:hunter2@db/jobs", "postgres://eve:***@db/jobs"),
        ("Authorization: Bearer abcdefgh.ijkl", "Authorization: Bearer ***"),
        ('{"refresh_token": "abc", "n": 1}', '{"refresh_token": ***, "n": 1}'),
        ("{'token': b'abc'}", "{'token': ***}"),
        ("{'token': 'cut off", "{'token': ***"),
        ('password="cut off\\', "password=***"),
        ("my-" * 60 + "token=abc", "my-" * 60 + "token=***"),
    ],
)
def test_a_value_whose_name_says_secret_is_masked(text: str, masked: str) -> None:
    assert without_secrets(text) == masked
    assert one_line(text) == masked


@pytest.mark.parametrize(
    "text",
    ["{'key': 'photos/1.png'}", "monkey=7", "a tokenizer", "12:30 at the keyboard", "x://y/z"],
)
def test_other_text_is_left_as_it_is(text: str) -> None:
    assert without_secrets(text) == text


WORDS = ["x", "_", "-", ".", "://", ":", "=", "@", "'", '"', "\\", " ", "token", "api_", "bearer"]


@pytest.mark.parametrize("first", WORDS)
def test_no_text_takes_long_to_look_through(first: str) -> None:
    """If the effort grew as the square of the length, each of these would take minutes."""
    for second in WORDS:
        without_secrets(((first + second) * 50_000)[:100_000])


def test_of_a_huge_text_little_is_looked_at() -> None:
    huge = "x" * 100_000_000
    assert one_line(huge) == "x" * 197 + "..."
    assert printable(huge, 100) == "x" * 100 + "..."


def test_a_secret_is_masked_though_the_text_is_cut_short_within() -> None:
    text = f"token='{'y' * 100_000}' and more"
    assert one_line(text) == "token=***"
    assert printable(text, 20) == "token=***"


def test_what_is_printed_has_neither_commands_nor_secrets() -> None:
    assert printable("a\x1b[2J\npassword=abc") == "a\\x1b[2J\npassword=***"
