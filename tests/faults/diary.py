"""A file in which workers of any descent note what they do. Interpreters import it."""

from __future__ import annotations

import os
import threading

from minigun_py import current

__all__ = ["Diary"]


class Diary:
    """Lines that are whole, in the order in which they were written."""

    def __init__(self, path: str) -> None:
        self._path = path

    def note(self, *words: object) -> None:
        """In a worker: write a line."""
        line = " ".join(map(str, words)) + "\n"
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(fd, line.encode())
        finally:
            os.close(fd)

    def notes(self) -> list[str]:
        """In the test: the lines."""
        if not os.path.exists(self._path):
            return []
        with open(self._path, encoding="utf-8") as file:
            return file.read().splitlines()

    # Setups and teardowns: bound methods of a diary, which go everywhere.

    def set_up(self) -> Diary:
        """A setup that makes a state."""
        self.note("up")
        return self

    def tear_down(self, state: Diary) -> None:
        """Its teardown."""
        state.note("down")

    def set_up_once(self) -> Diary:
        """A setup that works in the first worker only."""
        if self.notes():
            raise OSError("no room")
        return self.set_up()

    def fail(self, state: object = None) -> None:
        """As setup or as teardown."""
        raise OSError("no room")

    def die(self, state: object = None) -> None:
        """As setup or as teardown, in a process."""
        os._exit(9)

    def work_once_broken(self, item: int, state: Diary) -> int:
        """A stage that fails once for an item, and says with which state it was tried again."""
        if current().attempt == 1 and item == 3:
            state.note("broken")
            raise OSError(item)
        return item

    def work(self, item: int, state: Diary) -> tuple[int, int, int]:
        """A stage: the item, and where it is run."""
        return item, os.getpid(), os.getppid()

    def work_or_die(self, item: int, state: Diary) -> int:
        """A stage that dies of a 5, in a process."""
        if item == 5:
            os._exit(9)
        return item


class Chatter:
    """A state with a thread that logs all the time."""

    def __init__(self) -> None:
        self._stop, self._began = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._chat)
        self._thread.start()
        self._began.wait()

    def _chat(self) -> None:
        import logging

        log = logging.getLogger("tests_of_chatter")
        while not self._stop.is_set():
            log.warning("x" * 5000)
            self._began.set()

    def end(self) -> None:
        self._stop.set()
        self._thread.join()

    @staticmethod
    def work(item: int, state: Chatter) -> bytes:
        return bytes([item]) * 200_000
