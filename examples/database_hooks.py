"""A connection is closed before the program forks, and every worker opens one of its own."""

import os
import sqlite3
import tempfile
from pathlib import Path

from minigun_py import Job, after_fork, after_run, before_fork, before_run, processor, producer


class Guests(Job):
    def __init__(self, path: Path):
        self.path = path

    @before_run
    def create(self):
        self.connect()
        self.database.execute("CREATE TABLE guest (name TEXT, process INTEGER)")

    @before_fork
    def disconnect(self):  # a connection of SQLite must not be carried into a fork
        self.database.close()

    @after_fork
    def connect(self):
        self.database = sqlite3.connect(self.path, isolation_level=None)

    @producer
    def names(self):
        yield from ("Ann", "Bob", "Cid", "Dora", "Eve", "Fay")

    @processor(execution="fork", workers=2)
    def store(self, name):
        self.database.execute("INSERT INTO guest VALUES (?, ?)", (name, os.getpid()))

    @after_run
    def show(self, report):
        self.connect()
        for name, process in self.database.execute("SELECT * FROM guest ORDER BY name"):
            print(name, "was stored", "here" if process == os.getpid() else "by a worker")
        self.disconnect()
        print("all is well" if report.ok else "something went wrong")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        Guests(Path(folder, "guests.db")).run()

# Ann was stored by a worker
# Bob was stored by a worker
# Cid was stored by a worker
# Dora was stored by a worker
# Eve was stored by a worker
# Fay was stored by a worker
# all is well
