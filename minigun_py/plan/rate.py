"""How fast a stage may go, as a value: so many items in so many seconds."""

from __future__ import annotations

from typing import Any, Final

from minigun_py.errors import UsageError
from minigun_py.record import record

__all__ = ["Rate", "parse_rate"]

_UNITS: Final = {"s": 1.0, "sec": 1.0, "second": 1.0, "min": 60.0, "minute": 60.0, "h": 3600.0}
_FORM: Final = r"\s*(\d+(?:\.\d+)?)\s*/\s*([a-z]+)\s*"


@record
class Rate:
    """At most one item every `interval` seconds, for the stage as a whole."""

    interval: float
    text: str

    def __str__(self) -> str:
        return self.text


def parse_rate(value: Any, where: str) -> Rate:
    """A rate from ``"20/s"``, ``"100/min"`` or ``"5/h"``. Raises `UsageError` for another form."""
    import re  # here: few stages have a rate

    found = re.fullmatch(_FORM, value) if isinstance(value, str) else None
    if found is None or found[2] not in _UNITS or float(found[1]) == 0:
        raise UsageError(f"{where}: rate is a text like '20/s', '100/min' or '5/h', not {value!r}")
    return Rate(_UNITS[found[2]] / float(found[1]), value)
