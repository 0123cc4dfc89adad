"""A process that submits: asked, answering in any order, late, never, or with rubbish; dying, hanging, being started again."""

import os
import selectors
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from soak.runner.targets.processes.launch import StartError
from soak.runner.targets.queue.foreign.spoken import Callbacks, SpokenProcess
from soak.runner.targets.queue.foreign.spoken_child import Start

READY = "say(op='ready', version=1, census=True)\n"
SPEAKS = """
import json, os, sys, time
def say(**message):
    print(json.dumps(message), flush=True)
def asked():
    line = sys.stdin.readline()
    return json.loads(line) if line else sys.exit(0)
"""
KIT = """
import os, sys, time
from soak import kit
class Odd(Exception): pass
def submit(key, payload):
    print("this is no answer", key)
    if key == "2": return False
    if key == "3": raise kit.Busy("full")
    if key == "4": raise Odd("what?")
    if key == "5": os._exit(9)
kit.serve(submit=submit, census=lambda: {"pending": 3, "done": 4})
"""


class Loop:
    """A loop with timers, and a process in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.selector = selectors.DefaultSelector()
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.answers: list[tuple[int, str]] = []
        self.whys: dict[int, str] = {}
        self.counts: list[object] = []
        self.wrong: list[str] = []
        self.ends: list[str] = []
        self.process: SpokenProcess

    def later(self, after_s: float, call: Callable[[], None]) -> None:
        self.timers.append((time.monotonic() + after_s, call))

    def start(self, program: str, timeout_s: float = 20.0) -> SpokenProcess:
        """Start a program in Python."""
        (self.directory / "program.py").write_text(program)
        how = Start([sys.executable, "program.py"], os.environ, self.directory, self.directory / "submit.log")
        callbacks = Callbacks(
            self._submitted, lambda n, counts, why: self.counts.append((n, counts)), self.wrong.append, self.ends.append
        )
        self.process = SpokenProcess("submit", how, self.selector, self.later, callbacks, timeout_s)
        self.process.start()
        return self.process

    def _submitted(self, n: int, answer: str, why: str) -> None:
        self.answers.append((n, answer))
        self.whys[n] = why

    def until(self, ask: Callable[[], object]) -> None:
        """Handle events until something is true."""
        give_up = time.monotonic() + 20
        while not ask():
            assert time.monotonic() < give_up, (self.answers, self.wrong, self.ends)
            for key, _ in self.selector.select(0.02):
                key.data()
            due = [each for each in self.timers if each[0] <= time.monotonic()]
            self.timers = [each for each in self.timers if each not in due]
            for _, call in due:
                call()


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    loop = Loop(tmp_path)
    yield loop
    loop.process.close()
    assert loop.process.pid is None
    assert not loop.selector.get_map()
    loop.selector.close()


def test_the_kit_answers_for_a_program(loop: Loop) -> None:
    process = loop.start(KIT)
    process.submit(1, "1", "{}")
    process.wait_until_ready(20)
    assert process.ready and process.takes_census
    for n in (2, 3, 4):
        process.submit(n, str(n), "{}")
    process.census(1)
    loop.until(lambda: loop.counts and len(loop.answers) == 4)
    assert loop.answers == [(1, "accepted"), (2, "refused"), (3, "busy"), (4, "unknown")]
    assert loop.whys == {1: "", 2: "", 3: "Busy: full", 4: "Odd: what?"}
    assert loop.counts == [(1, {"pending": 3, "done": 4})]
    assert "this is no answer 1" in (loop.directory / "submit.log").read_text()
    assert loop.wrong == loop.ends == []


def test_a_process_that_dies_is_started_again_and_its_answers_are_unknown(loop: Loop) -> None:
    process = loop.start(KIT)
    process.wait_until_ready(20)
    process.submit(5, "5", "{}")
    loop.until(lambda: loop.ends)
    assert loop.answers == [(5, "unknown")]
    assert loop.whys[5] == "submit exited with 9: this is no answer 5"
    assert not process.ready
    process.submit(6, "6", "{}")
    loop.until(lambda: len(loop.answers) == 2)
    assert loop.answers[1] == (6, "busy")
    loop.until(lambda: process.ready)
    process.submit(7, "7", "{}")
    loop.until(lambda: len(loop.answers) == 3)
    assert loop.answers[2] == (7, "accepted")
    assert loop.ends == ["submit exited with 9: this is no answer 5"]


def test_answers_in_any_order_and_with_rubbish_in_between(loop: Loop) -> None:
    process = loop.start(
        SPEAKS
        + "print('booting')\n"
        + READY
        + """
one, two = asked(), asked()
print("x" * 200_000, flush=True)
three = asked()
print('{"op": "submitted"}')
print('{"op": "submitted", "n": 1, "answer": "perhaps"}')
say(op="submitted", n=99, answer="accepted")
say(op="submitted", n=two["n"], answer="accepted", of_later=1)
say(op="submitted", n=two["n"], answer="accepted")
say(op="ready", version=1)
say(op="submitted", n=one["n"], answer="refused")
asked()
"""
    )
    process.wait_until_ready(20)
    process.submit(1, "1", "{}")
    process.submit(2, "2", "{}")
    loop.until(lambda: len(loop.wrong) == 2)
    loop.until(lambda: not loop.selector.select(0.1))
    process.submit(3, "3", "{}")
    loop.until(lambda: len(loop.answers) == 2)
    assert loop.answers == [(2, "accepted"), (1, "refused")]
    waits = "which nobody waits for (answer each question once)"
    assert loop.wrong[0] == "submit: 'booting' is not a message of the protocol (send one JSON object in each line)"
    assert loop.wrong[1].startswith("submit: 'xxxx")
    assert [each.endswith("(see the fields of each op in docs/protocol.md)") for each in loop.wrong[2:4]] == [True] * 2
    assert loop.wrong[4:] == [
        f"submit: an answer to submit 99, {waits}",
        f"submit: an answer to submit 2, {waits}",
        "submit: ready was said again (say it once, first)",
    ]
    assert process.mistakes == 7


def test_rubbish_without_end_is_counted(loop: Loop) -> None:
    process = loop.start(
        SPEAKS + READY + "print('y\\n' * 5000)\nsay(op='submitted', n=asked()['n'], answer='accepted')\nasked()\n"
    )
    process.wait_until_ready(20)
    process.submit(1, "1", "{}")
    loop.until(lambda: loop.answers)
    assert len(loop.wrong) == 101
    assert process.mistakes == 5001
    assert loop.wrong[100] == "submit made more than 100 mistakes: further ones are only counted"


def test_an_answer_that_does_not_come_is_unknown(loop: Loop) -> None:
    process = loop.start(
        SPEAKS + READY + "first = asked()\nwhile True:\n    say(op='submitted', n=asked()['n'], answer='accepted')\n",
        1.0,
    )
    process.wait_until_ready(20)
    pid = process.pid
    process.submit(1, "1", "{}")
    process.submit(2, "2", "{}")
    loop.until(lambda: len(loop.answers) == 2)
    assert loop.answers == [(2, "accepted"), (1, "unknown")]
    assert loop.whys[1] == "submit has not answered after 1 s"
    # It has answered something else meanwhile: it lives.
    assert process.pid == pid


def test_one_that_hangs_is_ended_and_started_again(loop: Loop) -> None:
    process = loop.start(SPEAKS + READY + "time.sleep(600)\n", 0.8)
    process.wait_until_ready(20)
    pid = process.pid
    many = 2000
    for n in range(many):
        process.submit(n, str(n), "{}")
    process.census(5)
    loop.until(lambda: len(loop.answers) == many and loop.counts)
    answers = [answer for _, answer in loop.answers]
    # What it may have read is unknown; of the rest it is known that it was never sent.
    assert set(answers) == {"unknown", "busy"}
    assert 0 < answers.count("unknown") < 200
    assert loop.counts == [(5, None)]
    assert loop.ends[0] == "submit said nothing for 0.8 s and was ended"
    loop.until(lambda: process.ready)
    assert process.pid != pid
    assert pid is not None and not psutil.pid_exists(pid)


def test_one_that_speaks_and_does_not_read_is_busy(loop: Loop) -> None:
    process = loop.start(SPEAKS + READY + "while True:\n    print('tick', flush=True)\n    time.sleep(0.05)\n", 0.8)
    process.wait_until_ready(20)
    many = 500
    for n in range(many):
        process.submit(n, str(n), "{}")
    loop.until(lambda: len(loop.answers) == many)
    answers = [answer for _, answer in loop.answers]
    assert 0 < answers.count("unknown") < 200
    assert answers.count("busy") == many - answers.count("unknown")
    assert loop.ends == []


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import sys; sys.exit('no broker')", "submit: exited with 1: no broker before it was ready"),
        (
            SPEAKS + "say(op='ready', version=0)\nasked()",
            "it speaks version 0 of the protocol, and this runner version 1",
        ),
        ("import time; time.sleep(600)", "submit: said nothing for 0.5 s (its first line of output is to be"),
        (
            "import os, time\nif os.fork(): os._exit(0)\nos.setsid(); time.sleep(5)",
            "submit: exited with 0 before it was ready",
        ),
    ],
)
def test_one_that_never_gets_ready(loop: Loop, program: str, words: str) -> None:
    process = loop.start(program)
    with pytest.raises(StartError) as raised:
        process.wait_until_ready(0.5 if "said nothing" in words else 20)
    assert words in str(raised.value)


def test_one_that_closes_its_output_is_ended(loop: Loop) -> None:
    process = loop.start("import os, time; os.close(1); time.sleep(600)")
    process.submit(1, "1", "{}")
    loop.until(lambda: loop.ends)
    assert loop.ends == ["submit closed its standard output and was ended"]
    assert loop.answers == [(1, "busy")]


def test_one_that_cannot_be_started(tmp_path: Path) -> None:
    how = Start(["no-such-command"], {}, tmp_path, tmp_path / "submit.log")
    callbacks = Callbacks(lambda *_: None, lambda *_: None, lambda _: None, lambda _: None)
    with selectors.DefaultSelector() as selector:
        process = SpokenProcess("submit", how, selector, lambda *_: None, callbacks)
        with pytest.raises(StartError, match="'no-such-command' cannot be started: No such file or directory"):
            process.start()
        process.close()


def test_its_children_end_with_it(loop: Loop) -> None:
    process = loop.start(
        SPEAKS
        + "import subprocess\nchild = subprocess.Popen(['sleep', '600'])\nprint(child.pid, flush=True)\n"
        + READY
        + "asked()\n"
    )
    process.wait_until_ready(20)
    child = int(loop.wrong[0].split("'")[1])
    assert psutil.pid_exists(child)
    process.close()
    loop.until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_coroutines_answer_at_the_same_time(loop: Loop) -> None:
    process = loop.start(
        """
import asyncio
from soak import kit
first = asyncio.Event()
async def submit(key, payload):
    if key == "2":
        first.set()
        raise kit.Busy
    await first.wait()
async def census():
    return {"done": 1}
async def main():
    await kit.serve_async(submit=submit, census=census)
asyncio.run(main())
"""
    )
    process.wait_until_ready(20)
    process.submit(1, "1", "{}")
    process.submit(2, "2", "{}")
    process.census(9)
    loop.until(lambda: len(loop.answers) == 2 and loop.counts)
    assert sorted(loop.answers) == [(1, "accepted"), (2, "busy")]
    assert loop.counts == [(9, {"done": 1})]
