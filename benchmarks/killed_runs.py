"""Real runs that are killed at random moments and resumed: `python benchmarks/killed_runs.py`.

Each run must come to the outcomes of one that nobody killed, with no task lost and none twice, to the same verdict however
long the restart took, and to evidence that verifies. What differs is listed, and the exit code is then 1.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import ROOT

SOAK = (sys.executable, "-m", "runner")
SIGNALS = {"kill": signal.SIGKILL, "int": signal.SIGINT}
_CLOSING = {"task.done", "task.failed", "task.blocked"}
_PATIENT = "telemetry.max_lag=1m"
"""How quick this machine is is not what is asked here."""

_LOOK_S = 0.01
_STARTS_WITHIN_S = 60.0


@dataclass(slots=True)
class Finding:
    """What became of a run: `wrong` says what should not be."""

    verdict: str
    closed: dict[str, str]
    resumes: list[dict[str, float]]
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        gaps = ", ".join(f"{each['gap_s']:.1f} s after {each['pause_s']:.1f} s" for each in self.resumes)
        return (
            f"{self.verdict}, {len(self.closed)} closed, gaps: {gaps or 'none'}{''.join(f'; {w}' for w in self.wrong)}"
        )


def start(command: Sequence[str]) -> subprocess.Popen[str]:
    """A command of soak in a process of its own."""
    return subprocess.Popen([*SOAK, *command], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def killed_run(
    command: Sequence[str], out: Path, moments_s: Sequence[float], delay_s: float, how: signal.Signals
) -> str:
    """Make a run that is ended `moments_s` after its event stream, or a resumed runner, began; what it complained of last."""
    process = start([*command, "--out", str(out)])
    until = time.monotonic() + _STARTS_WITHIN_S
    while not list(out.glob("soak_*.jsonl")) and process.poll() is None and time.monotonic() < until:
        time.sleep(_LOOK_S)
    for moment_s in moments_s:
        try:
            process.wait(moment_s)
            break
        except subprocess.TimeoutExpired:
            process.send_signal(how)
            process.communicate()
        time.sleep(delay_s)
        process = start(["resume", str(out)])
    return process.communicate()[1]


def events(out: Path) -> Iterator[dict[str, object]]:
    """The events of a run."""
    [stream] = out.glob("soak_*.jsonl")
    with stream.open() as lines:
        yield from map(json.loads, lines)


def look(out: Path) -> Finding:
    """What the evidence of a run says: every submission answered once, every task closed once, and verified."""
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
    found = Finding(verdict["verdict"], closed, verdict["resumes"])
    for what, tasks in (
        ("answered twice", [task for task, count in answered.items() if count > 1]),
        ("closed twice", [task for task, count in closings.items() if count > 1]),
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
    tasks = sorted({*base.closed, *run.closed}, key=float)
    return [
        f"{task}: {base.closed.get(task, 'not there')} and {run.closed.get(task, 'not there')}"
        for task in tasks
        if base.closed.get(task) != run.closed.get(task)
    ]


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--delays", default="0.1,10", help="real seconds between a kill and the resume, in turn")
    parser.add_argument("--signals", default="kill", help="kill, int or both with a comma, in turn")
    parser.add_argument("--within", type=float, default=25.0, help="the latest moment of a kill, in real seconds")
    parser.add_argument("--speed", default="120")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--scenario", default=str(ROOT / "scenarios" / "72h.yaml"))
    parser.add_argument("--tier", default="pr")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    parser.add_argument("--keep", type=Path, help="where to keep the run directories")
    return parser.parse_args()


def main() -> int:
    """Make the runs and hold each against the one that nobody killed."""
    asked = _asked()
    command = ["run", asked.scenario, *(["--tier", asked.tier] if asked.tier else [])]
    command += [
        "--target",
        "orchestrator",
        "--speed",
        asked.speed,
        *(f"--set={each}" for each in (_PATIENT, *asked.settings)),
    ]
    delays = [float(each) for each in asked.delays.split(",")]
    signals = [SIGNALS[each] for each in asked.signals.split(",")]
    chance = random.Random(asked.seed)
    bad = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.keep or Path(scratch)
        killed_run(command, folder / "whole", [], 0.0, signal.SIGKILL)
        base = look(folder / "whole")
        print(f"nobody killed it: {base}", flush=True)
        for number in range(asked.runs):
            moments = [chance.uniform(0.0, asked.within) for _ in range(asked.kills)]
            delay_s, how = delays[number % len(delays)], signals[number // len(delays) % len(signals)]
            out = folder / f"killed{number}"
            complaint = killed_run(command, out, moments, delay_s, how)
            said = ", ".join(f"{moment:.1f} s" for moment in moments)
            try:
                found = look(out)
                apart = differences(base, found)
            except (OSError, ValueError, KeyError) as error:
                found, apart = Finding("no verdict", {}, [], [f"{error}: {complaint[-500:]}"]), []
            failed = found.wrong or apart or found.verdict != base.verdict
            bad += bool(failed)
            print(f"{how.name} after {said}, resumed {delay_s:g} s later: {found}", flush=True)
            print(f"  outcomes that differ: {len(apart)}{': ' + '; '.join(apart[:5]) if apart else ''}", flush=True)
    print(f"{asked.runs - bad} of {asked.runs} as they should be")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
