"""What small files of the system say. Without `pathlib`, which few programs need to start."""

from __future__ import annotations

import os

__all__ = ["Place", "system_text"]

Place = str | os.PathLike[str]


def system_text(*parts: Place) -> str | None:
    """The text of a file, by the parts of its path; None if it cannot be read."""
    try:
        with open(os.path.join(*parts), encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return None
