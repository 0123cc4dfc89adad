"""What it costs a task system to be soaked: `python benchmarks/bench_task_system.py [--target celery]` (about five minutes).

The same broker, submitter and workers, with and without soak, in pairs one after the other: tasks done a second, and CPU.
Without soak, a loop submits the tasks at the same times, and the body of a task is empty: a stand-in for `soak.kit` notes that
it was called, and returns. With soak it is `soak run`, with tasks of 1 ms. Budget: soak takes at most a tenth of the throughput
at 200 tasks a second. As further information, how many a second get through of more than either can do (`--saturated`).
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import psutil

from soak.kit import WORKER
from soak.runner.targets.adapters import adapters
from soak.runner.targets.offspring import offspring_ended
from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.ports import free_ports
from soak.runner.targets.processes.prepared import Prepared, prepare
from soak.runner.targets.queue.foreign.control import Control, with_workers
from soak.runner.targets.queue.foreign.informed import informed
from soak.runner.targets.queue.foreign.kit_folder import write_kit
from soak.runner.targets.queue.foreign.settings import settings_of, write_settings
from soak.schemas.language.load import load
from soak.schemas.target.load import load_target
from soak.schemas.target.templates import PORT, PROXY, fill

SCENARIO = """\
version: 1
name: speed
system: queue
duration: {seconds:g}s
drain: {drain:g}s
seed: 1
workload:
  arrivals: {{rate: {rate:g}/s, process: constant}}
  task: {{duration: {{distribution: constant, value: 1ms}}}}
queue: {{workers: 4}}
slos: ["lost_tasks == 0"]
"""
EMPTY = """

_done = os.open(os.environ["DONE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def attempt(payload, *, attempt=None, worker=None):
    os.write(_done, b"%.6f\\n" % time.time())
    return Result(0)

async def attempt_async(payload, *, attempt=None, worker=None):
    os.write(_done, b"%.6f\\n" % time.time())
    return Result(0)
"""
"""Put at the end of the kit of a system without soak."""

ROLES = ("driver", "submitter", "workers", "services")
_LOOK_S = 0.02
_SHARE = 0.7
"""Of the time of submissions, in which CPU is measured."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What is offered: tasks a second for so long; the rest may take `drain_s` more."""

    rate: float
    seconds: float
    drain_s: float

    @property
    def count(self) -> int:
        """How many tasks."""
        return round(self.rate * self.seconds)


@dataclass(frozen=True, slots=True)
class Found:
    """Tasks done a second of the time they were submitted in, and until the last; CPU seconds of 1,000 tasks, by role."""

    within: float
    until_last: float
    cpu: dict[str, float]


def found_of(done_s: Sequence[float], offer: Offer, cpu: dict[str, float], window: tuple[float, float]) -> Found:
    """From when each task was done, in seconds since the first was due, and the CPU used within a window of it."""
    inside = sum(window[0] < each <= window[1] for each in done_s)
    return Found(
        sum(each <= offer.seconds for each in done_s) / offer.seconds,
        len(done_s) / max(done_s),
        {role: seconds / inside * 1000 for role, seconds in cpu.items()},
    )


# CPU.


def cpu_of(root: psutil.Process) -> dict[str, float]:
    """CPU seconds so far of a process (the driver) and its descendants, with all children that they waited for."""
    used = dict.fromkeys(ROLES, 0.0)
    for each in (root, *root.children(recursive=True)):
        try:
            times, role = each.cpu_times(), "driver" if each == root else role_of(each)
        except psutil.Error:
            continue
        waited_for = 0.0 if each == root else times.children_user + times.children_system
        used[role] += times.user + times.system + waited_for
    return used


def role_of(process: psutil.Process) -> str:
    """What a process of the system is."""
    if WORKER in process.environ():
        return "workers"
    return "submitter" if "submitter.py" in process.cmdline()[-1] else "services"


def used_between(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """What was used meanwhile."""
    return {role: after[role] - before[role] for role in before}


# Without soak.


def without(name: str, offer: Offer, directory: Path) -> Found:
    """The system alone."""
    done, root = directory / "done", psutil.Process()
    done.touch()
    with ExitStack() as stack:
        stack.enter_context(offspring_ended(name))
        background = stack.enter_context(Background())
        prepared = prepared_for(name, offer, directory, done)
        control = stack.enter_context(closing(Control(prepared, background, 1.0)))
        control.start()
        submitter = stack.enter_context(closing(Submitter(prepared)))
        begun, began = time.monotonic(), time.time()
        sending = threading.Thread(target=submitter.send, args=(offer, begun))
        sending.start()
        time.sleep(offer.seconds * (1 - _SHARE) / 2)
        from_s, before = time.monotonic() - begun, cpu_of(root)
        time.sleep(offer.seconds * _SHARE)
        until_s, after = time.monotonic() - begun, cpu_of(root)
        while done.read_bytes().count(b"\n") < offer.count and time.monotonic() - begun < offer.seconds + offer.drain_s:
            time.sleep(_LOOK_S)
        submitter.stop()
        sending.join()
        control.stop()
    done_s = [float(each) - began for each in done.read_text().split()]
    return found_of(done_s, offer, used_between(before, after), (from_s, until_s))


class Submitter:
    """The process that submits, asked as soak does."""

    def __init__(self, prepared: Prepared) -> None:
        launcher, spoken = prepared.launcher, prepared.file.submit
        assert spoken and spoken.process
        self._stopped = False
        self._popen = subprocess.Popen(
            shlex.split(spoken.process),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=launcher.here / spoken.directory,
            env=launcher.environment,
        )
        assert self._popen.stdin and self._popen.stdout
        self._in = self._popen.stdin
        assert json.loads(self._popen.stdout.readline())["op"] == "ready"
        self._reads = threading.Thread(target=self._popen.stdout.read)
        self._reads.start()

    def send(self, offer: Offer, begun: float) -> None:
        """Submit each task when it is due, or as soon as the process reads."""
        for n in range(offer.count):
            if (wait_s := begun + n / offer.rate - time.monotonic()) > 0:
                time.sleep(wait_s)
            if self._stopped:
                return
            line = json.dumps({"op": "submit", "n": n, "key": str(n), "payload": json.dumps({"number": 2 * n})})
            try:
                self._in.write(line.encode() + b"\n")
                self._in.flush()
            except BrokenPipeError:
                return

    def stop(self) -> None:
        """Submit no more."""
        self._stopped = True
        self._popen.kill()

    def close(self) -> None:
        """End the process."""
        self.stop()
        self._reads.join()
        self._popen.wait()


def prepared_for(name: str, offer: Offer, directory: Path, done: Path) -> Prepared:
    """The system as a run has it, but for the kit."""
    scenario = directory / "scenario.yaml"
    write_scenario(scenario, offer)
    loaded = load_target(adapters()[name])
    kit = write_kit(directory / "kit")
    with (kit / "soak" / "kit.py").open("a", encoding="utf-8") as file:
        file.write(EMPTY)
    config = directory / "settings.json"
    write_settings(config, settings_of(load(scenario).scenario, 1, 1.0, 1.0, loaded.file.workers))
    ports = free_ports(loaded.file.ports)
    texts = {f"{PORT}{each}": str(port) for each, port in ports.items()}
    proxies = {f"{PROXY}{each.name}": fill(each.to, texts) for each in loaded.file.proxies}
    values = {"speed": "1", "seed": "1", "duration": f"{offer.seconds:g}", "timezone": "UTC", "workers": "4"}
    told = informed(loaded, {"SOAK_CONFIG": str(config), "DONE": str(done)}, str(kit))
    whole = {**values, "config": str(config), "kit": str(kit), **proxies}
    return prepare(with_workers(told, 4), directory, whole, ports)


def write_scenario(path: Path, offer: Offer) -> None:
    """The scenario of an offer."""
    path.write_text(SCENARIO.format(seconds=offer.seconds, drain=offer.drain_s, rate=offer.rate))


# With soak.


def soaked(name: str, offer: Offer, directory: Path) -> Found:
    """`soak run`."""
    scenario, out = directory / "scenario.yaml", directory / "run"
    write_scenario(scenario, offer)
    command = [sys.executable, "-m", "soak", "run", str(scenario), "--target", name, "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    root, stream = psutil.Process(process.pid), out / "soak_speed.jsonl"
    while process.poll() is None and not [*events(stream)]:
        time.sleep(_LOOK_S)
    from_s, begun, before = max(event["t"] for event in events(stream)), time.monotonic(), cpu_of(root)
    time.sleep(offer.seconds * _SHARE)
    until_s, after = from_s + time.monotonic() - begun, cpu_of(root)
    process.wait()
    done_s = [event["t"] for event in events(stream) if event["type"] == "task.done"]
    return found_of(done_s, offer, used_between(before, after), (from_s, until_s))


def events(stream: Path) -> Iterator[dict[str, float]]:
    """The events that are in a stream so far."""
    if stream.exists():
        for line in stream.read_bytes().split(b"\n")[1:-1]:
            yield json.loads(line)


# The table.


def pairs(name: str, offer: Offer, rounds: int) -> list[tuple[Found, Found]]:
    """Measure with and without soak in turn."""
    sides: tuple[Callable[[str, Offer, Path], Found], ...] = (without, soaked)
    found = []
    for _ in range(rounds):
        pair = []
        for side in sides:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
                pair.append(side(name, offer, Path(directory)))
        found.append((pair[0], pair[1]))
        print(f"  {pair[0].within:.1f} and {pair[1].within:.1f} done a second", flush=True)
    return found


def tell(words: str, found: Sequence[tuple[Found, Found]], figure: Callable[[Found], float]) -> None:
    """Print medians of both, and the ratios of the pairs."""
    alone, soak = (statistics.median(figure(pair[side]) for pair in found) for side in (0, 1))
    ratios = sorted(figure(pair[1]) / figure(pair[0]) for pair in found)
    ratio = f"x{statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})"
    print(f"{words}: {alone:.2f} alone, {soak:.2f} soaked, pair by pair {ratio}")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", default="redis-streams", help="an adapter whose environment is there")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--saturated", type=float, default=2000.0, help="tasks a second that are too many; 0: none")
    given = parser.parse_args()
    print(f"{given.target}, {given.rate:g} tasks a second, {os.cpu_count()} cores (load {os.getloadavg()[0]:.1f})")
    found = pairs(given.target, Offer(given.rate, given.seconds, given.seconds), given.rounds)
    tell("done a second, while tasks are submitted (budget: x0.9)", found, lambda each: each.within)
    tell("done a second, until the last", found, lambda each: each.until_last)
    for role in ROLES[1:]:
        tell(f"CPU seconds for 1,000 tasks, {role}", found, lambda each, role=role: each.cpu[role])  # type: ignore[misc]
    runner = statistics.median(pair[1].cpu["driver"] for pair in found)
    print(f"CPU seconds for 1,000 tasks, soak's own: {runner:.2f}")
    if given.saturated:
        print(f"{given.saturated:g} tasks a second")
        found = pairs(given.target, Offer(given.saturated, given.seconds / 2, 1.0), given.rounds)
        tell("done a second, while tasks are submitted", found, lambda each: each.within)


if __name__ == "__main__":
    main()
