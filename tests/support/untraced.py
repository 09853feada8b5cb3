"""Programs in a process of their own that nobody measures.

A tool that measures coverage is C code that does not expect to be refused memory.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

__all__ = ["printed_by"]


def printed_by(program: str) -> list[str]:
    """The lines that a program prints, which has to end well."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (ended.stderr, ended.returncode) == ("", 0)
    return ended.stdout.splitlines()
