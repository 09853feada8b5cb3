"""What a worker logs or warns of is logged in its parent, as if it had been said there."""

from __future__ import annotations

import logging
import pickle
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from minigun_py.contexts.log_forwarding import forward_records, levels_here, receive_record
from minigun_py.engine.current import Current
from minigun_py.primitives.cancel import CancelToken
from tests.support.untraced import printed_by

NAME = "tests_of_forwarding"

Fields = dict[str, Any]


class Listener(logging.Handler):
    """Keeps what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """The logging of the tests is that of a process too."""
    root, known = logging.getLogger(), logging.root.manager.loggerDict
    names = list(known)
    loggers = [root, *(found for found in known.values() if isinstance(found, logging.Logger))]
    was = [(one, one.level, one.propagate, one.handlers[:], one.filters[:]) for one in loggers]
    show = warnings.showwarning
    yield
    warnings.showwarning = show
    for name in set(known) - set(names):
        known.pop(name)
    for logger, level, propagate, handlers, filters in was:
        logger.setLevel(level)
        logger.propagate, logger.handlers, logger.filters = propagate, handlers, filters


def forwarding(
    levels: dict[str, int] | None = None, stages: str = "fetch+parse", worker: int = 3
) -> list[Fields]:
    """Be a worker from now on; what it sends."""
    sent: list[Fields] = []
    forward_records(sent.append, levels, stages, worker)
    return sent


def listening(name: str, level: int = logging.NOTSET) -> Listener:
    """Have a handler of the user's on a logger."""
    listener = Listener()
    logging.getLogger(name).addHandler(listener)
    logging.getLogger(name).setLevel(level)
    return listener


# --------------------------------------------------------------------------- in the worker


def test_what_is_logged_is_sent() -> None:
    sent = forwarding()
    logging.getLogger(NAME).warning("%d of %s", 5, "ten")
    (fields,) = sent
    assert (fields["name"], fields["levelno"], fields["msg"]) == (NAME, 30, "5 of ten")
    assert fields["args"] is None
    assert fields["funcName"] == "test_what_is_logged_is_sent"


def test_it_tells_the_stages_and_the_number_of_the_worker() -> None:
    sent = forwarding(stages="fetch+parse", worker=3)
    logging.getLogger(NAME).error("no")
    assert (sent[0]["minigun_stage"], sent[0]["minigun_worker"]) == ("fetch+parse", 3)


def test_a_stage_that_logs_as_itself_is_told_by_its_own_name() -> None:
    sent = forwarding(stages="fetch+parse", worker=3)
    Current("parse", 3, 1, CancelToken(), lambda: None).logger.error("no")
    assert (sent[0]["minigun_stage"], sent[0]["minigun_worker"]) == ("parse", 3)
    assert sent[0]["name"] == "minigun_py.stage.parse"


def test_no_handler_that_the_worker_has_inherited_gets_it() -> None:
    inherited = [listening(""), listening(NAME), listening(f"{NAME}.inner")]
    sent = forwarding()
    logging.getLogger(f"{NAME}.inner").error("no")
    assert [listener.records for listener in inherited] == [[], [], []]
    assert len(sent) == 1


def test_loggers_that_keep_their_records_to_themselves_send_them_too() -> None:
    logging.getLogger(NAME).propagate = False
    sent = forwarding()
    logging.getLogger(NAME).error("no")
    assert len(sent) == 1


def test_levels_that_were_inherited_hold() -> None:
    logging.getLogger(NAME).setLevel(logging.ERROR)
    sent = forwarding(levels=None)
    logging.getLogger(NAME).warning("quiet")
    logging.getLogger(NAME).error("loud")
    assert [fields["msg"] for fields in sent] == ["loud"]


def test_levels_that_came_along_hold() -> None:
    sent = forwarding(levels={"": logging.ERROR, NAME: logging.DEBUG})
    logging.getLogger(NAME).debug("one")
    logging.getLogger(f"{NAME}.inner").debug("two")
    logging.getLogger(f"{NAME}_other").warning("quiet")
    assert [fields["msg"] for fields in sent] == ["one", "two"]


def test_a_filter_of_a_logger_holds() -> None:
    logging.getLogger(NAME).addFilter(lambda record: "loud" in record.getMessage())
    sent = forwarding()
    logging.getLogger(NAME).error("quiet")
    logging.getLogger(NAME).error("loud")
    assert [fields["msg"] for fields in sent] == ["loud"]


def test_what_is_sent_are_plain_values() -> None:
    lock = threading.Lock()
    sent = forwarding()
    logging.getLogger(NAME).error("locked by %s", lock, extra={"lock": lock, "count": 5})
    (fields,) = pickle.loads(pickle.dumps(sent))
    assert fields["msg"] == f"locked by {lock}"
    assert (fields["lock"], fields["count"]) == (repr(lock), 5)


def test_an_exception_is_sent_as_its_traceback() -> None:
    sent = forwarding()
    try:
        raise KeyError("missing")
    except KeyError:
        logging.getLogger(NAME).exception("no")
    (fields,) = sent
    assert fields["exc_info"] is None
    assert fields["exc_text"].startswith("Traceback (most recent call last):")
    assert fields["exc_text"].endswith("KeyError: 'missing'")


def test_a_call_that_cannot_be_formatted_does_no_harm_to_the_stage(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """As with any handler: it is told on the standard error, and the program goes on."""
    sent = forwarding()
    logging.getLogger(NAME).error("%d", "five")
    logging.getLogger(NAME).error("on")
    assert [fields["msg"] for fields in sent][-1:] == ["on"]
    assert "--- Logging error ---" in capfd.readouterr().err


def test_a_warning_is_sent_as_a_record() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        sent = forwarding()
        warnings.warn("too old", FutureWarning, stacklevel=1)
    (fields,) = sent
    assert (fields["name"], fields["levelno"]) == ("py.warnings", logging.WARNING)
    assert "FutureWarning: too old" in fields["msg"]
    assert f"{__file__}:" in fields["msg"]
    assert fields["minigun_worker"] == 3


# --------------------------------------------------------------------------- in the parent


def fields_of(level: int = logging.WARNING, **more: Any) -> Fields:
    record = logging.LogRecord(NAME, level, "job.py", 7, "five of ten", None, None)
    return vars(record) | {"minigun_stage": "fetch", "minigun_worker": 2} | more


def test_its_logger_handles_it_as_if_it_had_been_logged_here() -> None:
    mine, above = listening(NAME), listening("")
    receive_record(fields_of())
    assert mine.records == above.records
    (record,) = mine.records
    assert (record.name, record.getMessage(), record.lineno) == (NAME, "five of ten", 7)
    assert (record.minigun_stage, record.minigun_worker) == ("fetch", 2)  # type: ignore[attr-defined]


def test_the_level_of_its_logger_holds() -> None:
    listener = listening(NAME, logging.ERROR)
    receive_record(fields_of(logging.WARNING))
    receive_record(fields_of(logging.ERROR))
    assert [record.levelno for record in listener.records] == [logging.ERROR]


def test_the_level_of_a_handler_holds() -> None:
    listener = listening(NAME)
    listener.setLevel(logging.ERROR)
    receive_record(fields_of(logging.WARNING))
    assert listener.records == []


def test_the_filters_of_its_logger_hold() -> None:
    listener = listening(NAME)
    logging.getLogger(NAME).addFilter(lambda record: record.minigun_worker == 1)  # type: ignore[attr-defined]
    receive_record(fields_of(minigun_worker=1))
    receive_record(fields_of(minigun_worker=2))
    assert [vars(record)["minigun_worker"] for record in listener.records] == [1]


def test_a_logger_that_keeps_its_records_to_itself_does() -> None:
    logging.getLogger(NAME).propagate = False
    above = listening("")
    receive_record(fields_of())
    assert above.records == []


def test_a_traceback_is_written_under_the_message() -> None:
    listener = listening(NAME)
    receive_record(fields_of(exc_text="Traceback: far away"))
    text = logging.Formatter("%(message)s").format(listener.records[0])
    assert text == "five of ten\nTraceback: far away"


def test_levels_are_told_of_every_logger_that_there_is() -> None:
    logging.getLogger().setLevel(logging.INFO)
    logging.getLogger(f"{NAME}.inner").setLevel(logging.DEBUG)
    levels = levels_here()
    assert (levels[""], levels[f"{NAME}.inner"]) == (logging.INFO, logging.DEBUG)
    assert NAME not in levels  # only the place of a logger


# --------------------------------------------------------------------------- where nobody logs yet


def test_a_worker_without_logging_sends_the_first_record_too() -> None:
    printed = printed_by("""
        import sys
        from minigun_py.contexts.log_forwarding import forward_records

        sent = []
        forward_records(sent.append, None, "fetch", 3)
        print("logging" in sys.modules)

        import logging

        logging.getLogger("late").warning("the first")
        print(*((fields["name"], fields["msg"], fields["minigun_worker"]) for fields in sent))
    """)
    assert printed == ["False", "('late', 'the first', 3)"]


def test_a_warning_of_such_a_worker_is_a_record() -> None:
    printed = printed_by("""
        import warnings
        from minigun_py.contexts.log_forwarding import forward_records

        sent = []
        forward_records(sent.append, None, "fetch", 3)
        warnings.warn("mind the gap")
        print(*(fields["name"] for fields in sent), "mind the gap" in sent[0]["msg"])
    """)
    assert printed == ["py.warnings True"]


def test_whoever_finds_and_loads_logging_there_is_taken_over() -> None:
    printed = printed_by("""
        import sys
        from importlib.machinery import PathFinder
        from importlib.util import spec_from_loader
        from minigun_py.contexts.log_forwarding import forward_records

        class Frozen:  # as those of Python: a class, and not an instance of it
            @staticmethod
            def find_spec(name, path=None, target=None):
                if name == "logging":
                    return spec_from_loader(name, Frozen, is_package=True)

            @staticmethod
            def create_module(spec):
                return None

            @staticmethod
            def exec_module(module):
                real = PathFinder.find_spec("logging")
                module.__path__ = real.submodule_search_locations
                real.loader.exec_module(module)

        sys.meta_path.insert(0, Frozen)
        sent = []
        forward_records(sent.append, None, "fetch", 3)

        import logging

        logging.warning("the first")
        print(len(sent), logging.__loader__ is logging.__spec__.loader is Frozen)
    """)
    assert printed == ["1 True"]


def test_a_run_in_processes_does_not_import_logging_for_nothing() -> None:
    printed = printed_by("""
        import sys
        from minigun_py import Pipeline

        pipe = Pipeline()
        pipe.source(range(3))
        pipe.processor(abs, name="work", execution="fork")
        with pipe.stream() as results:
            print(sum(results), "logging" in sys.modules)
    """)
    assert printed == ["3 False"]


# --------------------------------------------------------------------------- from end to end


def test_what_a_worker_says_is_what_a_handler_of_the_parent_writes() -> None:
    sent = forwarding()
    try:
        raise KeyError("missing")
    except KeyError:
        logging.getLogger(NAME).exception("no %s", "luck")
    logging.getLogger().handlers = []
    listener = listening(NAME)
    for fields in pickle.loads(pickle.dumps(sent)):
        receive_record(fields)
    text = logging.Formatter("%(name)s %(levelname)s %(message)s").format(listener.records[0])
    assert text.startswith(f"{NAME} ERROR no luck\nTraceback (most recent call last):")
    assert text.endswith("KeyError: 'missing'")
