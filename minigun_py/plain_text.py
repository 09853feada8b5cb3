"""Text from outside made fit to be printed: for a terminal, and for those who read a log.

Names of stages, items and messages of errors come from the user's data, where an escape sequence
could move the cursor, change the title of the window or hide what follows, and where a password
may stand beside its name.
"""

from __future__ import annotations

from typing import Final

__all__ = ["one_line", "printable", "without_controls", "without_secrets"]

LONGEST: Final = 200
LOOKED_AT: Final = 50
"""Of a text to be cut short, so much more is looked at, since masks are shorter than values."""
MASK: Final = "***"

# Every repetition below begins where a word does, or is bounded: no text takes long to look
# through, however long it and its words are.
_NAME: Final = (
    r"(?<![\w-])[\w-]{0,200}(?:token|secret|passw(?:or)?d|passphrase|credential"
    r"|(?:api|access|private|auth|signing|encryption)[_-]?key)\w{0,200}+"
)
_NAMED: Final = (
    rf"""(?P<name>(?P<quote>['"]?){_NAME}(?P=quote)\s*[:=]\s*)"""
    r"""(?P<value>b?'(?:[^'\\]|\\.)*(?:'|\\?\Z)|b?"(?:[^"\\]|\\.)*(?:"|\\?\Z)"""
    r"""|[^\s,;&'"(){}\[\]]+)"""
)
"""A name that says secret, and the value behind it, as in a dict, an assignment or a query."""

_USER: Final = r"(?P<before>(?<![\w+.-])[a-z][a-z0-9+.-]{0,30}://[^\s/:@]*:)[^\s/@]+(?=@)"
"""The password in a URL."""

_BEARER: Final = r"(?P<before>\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}"
"""What an HTTP header authorises with."""


def printable(text: str, longest: int | None = None) -> str:
    """The text, over as many lines, without commands to the terminal and without secrets.

    With `longest` it is cut short after so many characters.
    """
    if longest is None:
        return without_secrets(without_controls(text))
    text = printable(text[: LOOKED_AT * longest])
    return text if len(text) <= longest else text[:longest] + "..."


def without_secrets(text: str) -> str:
    """The text with a mask in place of each value whose name says that it is a secret.

    Names with token, secret, password, passphrase or credential in them say so, and keys for an
    API, access, signing and the like; also passwords in URLs, and what a header authorises with.
    """
    import re  # here: it is for runs in which something fails

    text = re.sub(_NAMED, rf"\g<name>{MASK}", text, flags=re.IGNORECASE)
    text = re.sub(_USER, rf"\g<before>{MASK}", text, flags=re.IGNORECASE)
    return re.sub(_BEARER, rf"\g<before>{MASK}", text, flags=re.IGNORECASE)


def without_controls(text: str) -> str:
    """The text with its lines kept, and every other unprintable character as an escape."""
    return "".join(c if c.isprintable() or c in "\n\t" else _escape(c) for c in text)


def one_line(value: object, longest: int = LONGEST) -> str:
    """The value's text on one line of at most `longest` characters, and without secrets."""
    text = without_secrets(str(value)[: LOOKED_AT * longest])
    if len(text) > longest:
        text = text[: longest - 3] + "..."
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
