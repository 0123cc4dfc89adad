"""The protocol of task systems, `python benchmarks/bench_protocol.py`: attempts a second, and lag of submissions.

Each way is measured in turn, several times; printed are medians. Attempts: clients in processes of their own make empty
attempts as fast as they can, against the server of the protocol and against that of attached classes (`soak.body`), which
has no token, no versions and one attempt at a time. Lag: from when a task is due until its answer is there, by a process
that submits.
"""

import argparse
import os
import selectors
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from soak.contract import DESK
from soak.runner.targets.queue.foreign.server import Attempt, Server
from soak.runner.targets.queue.foreign.spoken import Callbacks, SpokenProcess
from soak.runner.targets.queue.foreign.spoken_child import Start
from soak.runner.targets.queue.system_adapter.body_server import BodyServer, Execution

KIT = """
import sys, threading
from soak import kit
def work(first):
    for number in range(first, first + {each}):
        kit.attempt('{{"number": %d}}' % number)
threads = [threading.Thread(target=work, args=(n * {each},)) for n in range({threads})]
[each.start() for each in threads]
"""
OLD = """
import threading
from soak.body import Body
def work(first):
    with Body() as body:
        for number in range(first, first + {each}):
            body.run('{{"number": %d}}' % number, attempt=1, worker="w0")
threads = [threading.Thread(target=work, args=(n * {each},)) for n in range({threads})]
[each.start() for each in threads]
"""
SUBMITTER = "from soak import kit\nkit.serve(submit=lambda key, payload: None)\n"


def attempts(
    program: str, environment: dict[str, str], selector: selectors.BaseSelector, done: list[int], processes: int
) -> tuple[float, float]:
    """Attempts a second, and core seconds of the server for a thousand of them."""
    each, threads = 2000, 2
    code = program.format(each=each, threads=threads)
    environment = {**os.environ, **environment}
    clients = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(processes)]
    while not done:
        _handle(selector, 1.0)
    begun, used = time.perf_counter(), time.process_time()
    total = each * threads * processes
    first = len(done)
    while len(done) < total:
        _handle(selector, 1.0)
    took, used = time.perf_counter() - begun, time.process_time() - used
    for client in clients:
        client.wait()
    return (total - first) / took, used / (total - first) * 1000


def of_protocol(directory: Path, processes: int) -> tuple[float, float]:
    """The server of the protocol."""
    done: list[int] = []
    with selectors.DefaultSelector() as selector:
        server = Server(selector, unix=directory / "s", token="t")

        def started(attempt: Attempt) -> None:
            server.work(attempt, 0.0, 0)
            server.finish(attempt, end="ok")

        server.answer(
            started=started,
            ended=lambda attempt, *_: done.append(attempt.number),
            lost=lambda *_: None,
            wrong=print,
        )
        found = attempts(KIT, dict(server.environment), selector, done, processes)
        server.close()
    (directory / "s").unlink()
    return found


def of_classes(directory: Path, processes: int) -> tuple[float, float]:
    """The server of attached classes."""
    done: list[int] = []
    with selectors.DefaultSelector() as selector:
        server = BodyServer(directory / "d", selector)

        def started(execution: Execution) -> None:
            server.finish(execution, end="ok")

        server.answer(
            started=started, ended=lambda execution, _: done.append(execution.number), lost=lambda execution: None
        )
        found = attempts(OLD, {DESK: str(server.path)}, selector, done, processes)
        server.close()
    (directory / "d").unlink()
    return found


def lags_ms(directory: Path, rate: float, seconds: float) -> list[float]:
    """Of each submission, how long after it was due its answer was there, in ms."""
    due: dict[int, float] = {}
    lags: list[float] = []
    program = directory / "submitter.py"
    program.write_text(SUBMITTER)
    callbacks = Callbacks(
        submitted=lambda n, answer, why: lags.append((time.perf_counter() - due[n]) * 1000),
        counted=lambda *_: None,
        wrong=print,
        ended=print,
    )
    with selectors.DefaultSelector() as selector:
        start = Start([sys.executable, str(program)], os.environ, directory, directory / "submit.log")
        process = SpokenProcess("submit", start, selector, lambda *_: None, callbacks)
        process.start()
        process.wait_until_ready(30)
        begun, count = time.perf_counter(), int(rate * seconds)
        for n in range(count):
            due[n] = begun + n / rate
            while (wait_s := due[n] - time.perf_counter()) > 0:
                _handle(selector, wait_s)
            process.submit(n, str(n), f'{{"number": {2 * n}}}')
        while len(lags) < count:
            _handle(selector, 1.0)
        process.close()
    return lags


def _handle(selector: selectors.BaseSelector, wait_s: float) -> None:
    for key, _ in selector.select(wait_s):
        key.data()


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {"protocol": [], "classes": []}
    ways: dict[str, Callable[[Path, int], tuple[float, float]]] = {"protocol": of_protocol, "classes": of_classes}
    tails = []
    with tempfile.TemporaryDirectory() as name:
        for _ in range(options.rounds):
            for way, measure in ways.items():
                found[way].append(measure(Path(name), options.processes))
            lags = sorted(lags_ms(Path(name), 100.0, 5.0))
            tails.append((lags[len(lags) // 2], lags[int(len(lags) * 0.99)], lags[-1]))
    for way, rounds in found.items():
        rate, core = (statistics.median(each) for each in zip(*rounds, strict=True))
        print(f"{way}: {rate:,.0f} attempts/s; {core * 1000:.0f} ms of a core for 1000")
    ratio = statistics.median(a[1] / b[1] for a, b in zip(found["protocol"], found["classes"], strict=True))
    print(f"core of the protocol's server against that of classes, paired: x{ratio:.2f}")
    half, tail, most = (statistics.median(each) for each in zip(*tails, strict=True))
    print(f"lag of submissions at 100/s: median {half:.2f} ms, p99 {tail:.2f} ms, longest {most:.1f} ms")


if __name__ == "__main__":
    main()
