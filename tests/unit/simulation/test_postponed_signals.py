"""Signals that come while compiled code runs: what their handlers raise is not lost in a callback."""

import ctypes
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from soak.simulation.compiled import library
from soak.simulation.compiled.signals import postponed

STRUCK = """
#include "soak.h"
#include <signal.h>
int64_t struck(int64_t (*asked)(void), int number) { raise(number); return asked(); }
"""


class Told(Exception):  # noqa: N818 - a message
    """What the handler raises."""


@pytest.fixture
def handled() -> Iterator[None]:
    def handler(number: int, frame: object) -> None:
        raise Told

    before = signal.signal(signal.SIGUSR1, handler)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.usefixtures("handled")
def test_a_handler_is_called_at_the_end() -> None:
    reached, handler = [], signal.getsignal(signal.SIGUSR1)
    with pytest.raises(Told), postponed():
        signal.raise_signal(signal.SIGUSR1)
        reached.append(1)
    assert reached == [1]
    assert signal.getsignal(signal.SIGUSR1) is handler


@pytest.mark.usefixtures("handled")
def test_what_is_ignored_stays_so() -> None:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    with postponed():
        signal.raise_signal(signal.SIGUSR1)
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN


@pytest.mark.usefixtures("handled")
def test_another_thread_leaves_handlers_alone() -> None:
    handler, found = signal.getsignal(signal.SIGUSR1), []

    def work() -> None:
        with postponed():
            found.append(signal.getsignal(signal.SIGUSR1))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [handler]


@pytest.mark.usefixtures("handled")
def test_a_signal_before_a_callback_costs_no_answer(tmp_path: Path) -> None:
    source = tmp_path / "struck.c"
    source.write_text(STRUCK)
    struck = ctypes.CDLL(str(library.build(source, tmp_path))).struck
    struck.restype = ctypes.c_int64
    answers = []
    with pytest.raises(Told), postponed():
        answers.append(struck(ctypes.CFUNCTYPE(ctypes.c_int64)(lambda: 42), ctypes.c_int(signal.SIGUSR1)))
    assert answers == [42]
