"""What a user says of a checkpoint, and the key by which an item of a source is known in it."""

from __future__ import annotations

import binascii
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from minigun_py.emission import To
from minigun_py.errors import UsageError
from minigun_py.record import record

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Checkpoint", "key_text"]


@record
class Checkpoint:
    """A file that keeps which items of the sources are finished, so that a run can be resumed.

    Items are known by a key. A second run with the same file leaves out what is finished. An item
    is finished when all that came of it has ended: it was completed, filtered, or set aside as a
    dead letter. What failed, was skipped or was cut off is run again.

    Args:
        path: The file, an SQLite database. It is made if it is not there, for nobody else to read.
        key: Gives the key of an item: text, bytes, a whole number, a path, or a tuple of these.
            Without it the item has to be one of these itself.
        retry_failed: Whether items that ended as dead letters are run again.
        fresh: Whether what the file says is forgotten first.

    Raises:
        UsageError: An argument has a wrong value.

    Example:
        >>> from minigun_py import Checkpoint
        >>> Checkpoint("job.db", key=lambda row: row["id"])  # doctest: +ELLIPSIS
        Checkpoint(path=...Path('job.db'), ...)
    """

    path: Path
    key: Callable[[Any], Any] | None = None
    retry_failed: bool = False
    fresh: bool = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        key: Callable[[Any], Any] | None = None,
        retry_failed: bool = False,
        fresh: bool = False,
    ) -> None:
        _check(path, key, retry_failed=retry_failed, fresh=fresh)
        from pathlib import Path  # here and below: few runs have a checkpoint

        values = (Path(path), key, retry_failed, fresh)
        for name, said in zip(self.__match_args__, values, strict=True):
            object.__setattr__(self, name, said)

    def key_of(self, item: Any) -> str:
        """The key of an item as text. Raises `UsageError` if it has none, and what `key` raises."""
        value = item.value if isinstance(item, To) else item
        if self.key is None:
            try:
                return key_text(value)
            except UsageError:
                raise UsageError(
                    f"a checkpoint knows text, bytes, whole numbers and paths by themselves, and "
                    f"not a {type(value).__name__}: {value!r:.100}; say checkpoint="
                    "Checkpoint(path, key=f) with a function that gives the key of an item"
                ) from None
        return key_text(self.key(value))


def _check(path: Any, key: Any, **flags: Any) -> None:
    if not (isinstance(path, str | os.PathLike) and os.fspath(path)):
        raise UsageError(f"Checkpoint: path is the path of a file, not {path!r}")
    if key is not None and not callable(key):
        raise UsageError(f"Checkpoint: key is a function of an item, not {key!r}")
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise UsageError(f"Checkpoint: {name} is True or False, not {value!r}")


def key_text(key: Any) -> str:
    """A key as JSON, the same for keys that are equal and of one type, and for no others.

    Raises:
        UsageError: It is of another type than keys may have.
    """
    import json  # here: few runs have a checkpoint

    return json.dumps(_plain(key), separators=(",", ":"))


def _plain(key: Any) -> Any:
    from pathlib import PurePath

    if isinstance(key, bool) or not isinstance(key, str | int | bytes | PurePath | tuple):
        raise UsageError(
            f"a key is text, bytes, a whole number, a path, or a tuple of these, and not "
            f"a {type(key).__name__}: {key!r:.100}"
        )
    if isinstance(key, bytes):
        return {"bytes": binascii.b2a_base64(key, newline=False).decode()}
    if isinstance(key, PurePath):
        return {"path": os.fspath(key)}
    if isinstance(key, tuple):
        return [_plain(part) for part in key]
    return str(key) if isinstance(key, str) else int(key)
