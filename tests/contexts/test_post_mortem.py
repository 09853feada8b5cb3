"""A death is told by its signal or exit code, and by all else that is known of it."""

from __future__ import annotations

import signal

import pytest

from minigun_py.contexts import post_mortem
from minigun_py.contexts.crew import Exited
from minigun_py.contexts.post_mortem import PostMortem

WORDS = """Fatal Python error: Segmentation fault

Stack (most recent call first):
  File "job.py", line 7 in crash
  File "<stages crash>", line 7 in loop_0
  File "bound_segment.py", line 60 in work"""

C_STACK = """

Current thread's C stack trace (most recent call first):
  Binary file "parser.so", at parse+0x4a
  Binary file "python", at _start+0x21"""


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (3, "the worker ended with exit code 3"),
        (0, "the worker ended with exit code 0"),
        (-signal.SIGSEGV, "the worker was killed by SIGSEGV"),
        (-signal.SIGKILL, "the worker was killed by SIGKILL"),
    ],
)
def test_a_death_has_a_cause(status: int, told: str) -> None:
    death = PostMortem().death(Exited(41, status))
    assert (str(death), death.status) == (told, status)
    assert not hasattr(death, "__notes__")


def test_it_says_when_it_was() -> None:
    assert str(PostMortem().death(Exited(41, 3), during=" while it tore down")) == (
        "the worker ended with exit code 3 while it tore down"
    )


@pytest.mark.parametrize(
    ("peak", "used"),
    [(0, ""), (3 << 20, ": it had used 3 MiB"), (5 << 29, ": it had used 2.5 GiB")],
)
def test_a_kill_by_a_system_without_memory_is_told_as_that(
    monkeypatch: pytest.MonkeyPatch, peak: int, used: str
) -> None:
    kills = iter([2, 3, 3])
    monkeypatch.setattr(post_mortem, "memory_kills", lambda: next(kills))
    post = PostMortem()
    killed = "the worker was killed by SIGKILL"
    exited = Exited(41, -signal.SIGKILL, peak)
    assert str(post.death(exited)) == f"{killed}, probably out of memory{used}"
    assert str(post.death(exited)) == killed


def test_its_last_words_are_a_note_down_to_the_stage() -> None:
    (note,) = PostMortem().death(Exited(41, -signal.SIGSEGV), WORDS).__notes__
    assert note.splitlines() == [
        "the worker's last words:",
        "Fatal Python error: Segmentation fault",
        "",
        "Stack (most recent call first):",
        '  File "job.py", line 7 in crash',
    ]


def test_the_top_of_the_c_stack_stays() -> None:
    (note,) = PostMortem().death(Exited(41, -signal.SIGSEGV), WORDS + C_STACK).__notes__
    assert note.splitlines()[-3:] == [
        "C stack (most recent call first):",
        '  Binary file "parser.so", at parse+0x4a',
        '  Binary file "python", at _start+0x21',
    ]


def test_words_from_outside_of_a_stage_stay_whole() -> None:
    words = 'Fatal Python error: Aborted\n\n  File "job.py", line 3 in set_up'
    (note,) = PostMortem().death(Exited(41, -signal.SIGABRT), words).__notes__
    assert note == f"the worker's last words:\n{words}"
