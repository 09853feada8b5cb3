"""The entry point of the `minigun` command.

The commands need click, and their live view rich, which come with the extra `cli`. Whoever has
the library without it has this entry point all the same; it then says what to install.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from minigun_py.cli.exit_status import ExitStatus

__all__ = ["main"]

EXTRA = frozenset({"click", "rich"})
MISSING = "minigun: the command line needs more packages; install them with\n" + (
    "    pip install 'minigun-py[cli]'"
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command with `arguments`, by default those of the process. Ends in `SystemExit`."""
    try:
        from minigun_py.cli.commands import commands
    except ModuleNotFoundError as error:
        if error.name not in EXTRA:
            raise
        sys.stderr.write(f"{MISSING}\n")
        raise SystemExit(ExitStatus.USAGE) from None
    commands.main(args=arguments, prog_name="minigun")
