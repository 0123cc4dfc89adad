"""Real runs that are ended from outside and resumed, and what their evidence must say all the same."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOAK = (sys.executable, "-m", "soak")
_CLOSING = {"task.done", "task.failed", "task.blocked"}
_LOOK_S = 0.02
_PATIENCE_S = 120.0


@dataclass(slots=True)
class Finding:
    """What became of a run: `wrong` says what should not be."""

    verdict: str
    reasons: list[str]
    closed: dict[str, str]
    resumes: list[dict[str, float]]
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        gaps = ", ".join(f"{each['gap_s']:.1f} s before {each['pause_s']:.1f} s" for each in self.resumes)
        return "; ".join(
            [f"{self.verdict}, {len(self.closed)} closed, not observed: {gaps or '-'}", *self.reasons, *self.wrong]
        )


def start(command: Sequence[str]) -> subprocess.Popen[str]:
    """A command of soak in a process of its own."""
    return subprocess.Popen([*SOAK, *command], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def stream_of(out: Path) -> Path | None:
    """The event stream of a run, once there is one."""
    return next(iter(out.glob("soak_*.jsonl")), None)


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for a condition, or for the process to end."""
    until = time.monotonic() + _PATIENCE_S
    while not condition() and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(_LOOK_S)


def count(out: Path, kind: str) -> int:
    """How many events of a type the stream of a run has so far."""
    stream = stream_of(out)
    return stream.read_bytes().count(f'"type":"{kind}"'.encode()) if stream else 0


def end(process: subprocess.Popen[str], how: signal.Signals) -> int:
    """End a process from outside and wait for it; its exit code."""
    process.send_signal(how)
    process.communicate()
    return process.returncode


def events(out: Path) -> Iterator[dict[str, Any]]:
    """The events of a run."""
    stream = stream_of(out)
    assert stream
    with stream.open() as lines:
        yield from map(json.loads, lines)


def look(out: Path) -> Finding:
    """What the evidence of a run says: each submission answered once, each task closed once, and verified."""
    verdict = json.loads((out / "verdict.json").read_text())
    answered: Counter[str] = Counter()
    closings: Counter[str] = Counter()
    accepted, closed = set(), {}
    for event in events(out):
        task, kind = str(event.get("task")), str(event["type"])
        if kind in {"task.enqueued", "task.skipped"}:
            answered[task] += 1
            accepted |= {task} if kind == "task.enqueued" else set()
        if kind in _CLOSING:
            closings[task] += 1
            closed[task] = kind
    found = Finding(verdict["verdict"], verdict["reasons"], closed, verdict["resumes"])
    for what, tasks in (
        ("answered twice", [task for task, times in answered.items() if times > 1]),
        ("closed twice", [task for task, times in closings.items() if times > 1]),
        ("never closed", sorted(accepted - set(closed))),
        ("closed and never taken in", sorted(set(closed) - accepted)),
    ):
        if tasks:
            found.wrong.append(f"{what}: {', '.join(tasks[:5])}")
    if len(answered) != verdict["load"]["planned"]:
        found.wrong.append(f"{len(answered)} of {verdict['load']['planned']} submissions answered")
    if subprocess.run([*SOAK, "verify", str(out)], cwd=ROOT, check=False, capture_output=True).returncode:
        found.wrong.append("does not verify")
    return found


def differences(base: Finding, run: Finding) -> list[str]:
    """Where the outcomes of two runs differ."""
    return [
        f"{task}: {base.closed.get(task, 'not there')} and {run.closed.get(task, 'not there')}"
        for task in sorted({*base.closed, *run.closed}, key=float)
        if base.closed.get(task) != run.closed.get(task)
    ]
