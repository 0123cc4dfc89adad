"""Real runs that are ended at random moments and resumed: `python benchmarks/killed_runs.py`.

Each must come to the outcomes of a run that nobody ended, with no task lost and none twice, to the same verdict however long
the restart took, and to evidence that verifies. The exit code is 1 when one does not.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import ROOT

sys.path.insert(0, str(ROOT / "tests"))
from killing import Finding, differences, end, look, start, stream_of, wait_until

SIGNALS = {"kill": signal.SIGKILL, "int": signal.SIGINT}
_PATIENT = "telemetry.max_lag=1m"
"""How quick this machine is is not what is asked here."""


def ended_run(
    command: Sequence[str], out: Path, moments_s: Sequence[float], delay_s: float, how: signal.Signals
) -> str:
    """Make a run that is ended `moments_s` after its event stream, or a resumed runner, began; what it complained of last."""
    process = start([*command, "--out", str(out)])
    wait_until(lambda: stream_of(out) is not None, process)
    for moment_s in moments_s:
        try:
            process.wait(moment_s)
            break
        except subprocess.TimeoutExpired:
            end(process, how)
        time.sleep(delay_s)
        process = start(["resume", str(out)])
    return process.communicate()[1]


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--delays", default="0.1,10", help="real seconds between the end and the resume, in turn")
    parser.add_argument("--signals", default="kill", help="kill, int or both with a comma, in turn")
    parser.add_argument("--within", type=float, default=25.0, help="the latest moment, in real seconds")
    parser.add_argument("--speed", default="120")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--scenario", default=str(ROOT / "scenarios" / "72h.yaml"))
    parser.add_argument("--tier", default="pr", help="empty for none")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    parser.add_argument("--keep", type=Path, help="where to keep the run directories")
    return parser.parse_args()


def _found(out: Path, complaint: str) -> Finding:
    try:
        return look(out)
    except (OSError, ValueError, KeyError) as error:
        return Finding("no verdict", [f"{error}: {complaint[-500:]}"], {}, [])


def main() -> int:
    """Make the runs and hold each against the one that nobody ended."""
    asked = _asked()
    command = ["run", asked.scenario, *(["--tier", asked.tier] if asked.tier else [])]
    command += ["--target", "orchestrator", "--speed", asked.speed]
    command += [f"--set={each}" for each in (_PATIENT, *asked.settings)]
    delays = [float(each) for each in asked.delays.split(",")]
    signals = [SIGNALS[each] for each in asked.signals.split(",")]
    chance, bad = random.Random(asked.seed), 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.keep or Path(scratch)
        base = _found(folder / "whole", ended_run(command, folder / "whole", [], 0.0, signal.SIGKILL))
        print(f"nobody ended it: {base}", flush=True)
        for number in range(asked.runs):
            moments = [chance.uniform(0.0, asked.within) for _ in range(asked.kills)]
            delay_s, how = delays[number % len(delays)], signals[number // len(delays) % len(signals)]
            out = folder / f"ended{number}"
            found = _found(out, ended_run(command, out, moments, delay_s, how))
            apart = differences(base, found)
            bad += bool(found.wrong or apart or found.verdict != base.verdict)
            said = " and ".join(f"{moment:.1f} s" for moment in moments)
            print(f"{how.name} after {said}, resumed {delay_s:g} s later: {found}", flush=True)
            print(f"  outcomes that differ: {len(apart)}{': ' + '; '.join(apart[:5]) if apart else ''}", flush=True)
    print(f"{asked.runs - bad} of {asked.runs} as they should be")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
