"""A wake-up ends a poll, once for any number of calls, and never after its end."""

from __future__ import annotations

import os
import select
import threading

import pytest

from minigun_py.contexts import wake_up
from minigun_py.contexts.wake_up import WakeUp

LIMIT = 20.0


def is_set(wake: WakeUp) -> bool:
    return bool(select.select([wake], [], [], 0)[0])


def test_it_is_readable_from_set_to_clear() -> None:
    with WakeUp() as wake:
        assert not is_set(wake)
        wake.set()
        wake.set()
        assert is_set(wake)
        wake.clear()
        assert not is_set(wake)
        wake.set()
        assert is_set(wake)


def test_a_set_that_comes_after_the_end_does_nothing() -> None:
    with WakeUp() as wake:
        pass
    wake.set()


def test_its_end_waits_for_a_set_that_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    writing, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    write = os.write

    def slow_write(fd: int, data: bytes) -> int:
        writing.set()
        assert go_on.wait(LIMIT)
        assert not ended.is_set()
        return write(fd, data)

    def end() -> None:
        wake.__exit__()
        ended.set()

    wake = WakeUp().__enter__()
    monkeypatch.setattr(wake_up.os, "write", slow_write)
    setter, ender = threading.Thread(target=wake.set), threading.Thread(target=end)
    setter.start()
    assert writing.wait(LIMIT)
    ender.start()
    assert not ended.wait(0.05)  # it would be over by now
    go_on.set()
    setter.join(LIMIT)
    assert ended.wait(LIMIT)
    ender.join(LIMIT)
