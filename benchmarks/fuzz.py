"""Damaged scenarios, gates and evidence, fed to the commands: `python benchmarks/fuzz.py [--count 1000] [--seed N]`.

No command may show a traceback or an internal error, hang, or end with an exit code that is not documented. Each case is drawn
from the seed and its number: `--seed N --case I --keep DIR` makes one again, with its files. Exit code 1: something was found.
"""

import argparse
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from matplotlib.figure import Figure  # noqa: E402
from mutations import NASTY, damaged_lines, damaged_yaml  # noqa: E402

from soak.reports.plots import render_plots  # noqa: E402

LIMIT_S, MEMORY_BYTES = 30.0, 3 << 30
DOCUMENTED = {0, 2, 3, 4, 5}
"""Exit codes of commands that were neither interrupted (130) nor met a fault of their own or of the disk (1)."""
WRONG = re.compile(rb"Traceback|internal error|[A-Za-z]*Warning:|^Fatal|Segmentation", re.MULTILINE)
FEW = ("--set", "workload.tasks=200")
SHORT = ("--duration", "5m", "--set", "drain=5m", *FEW)
TRIES = 6
PLOTS_SHARE = 0.25
SAVE = Figure.savefig
SCENARIOS = ("scenarios", "tests/scenarios/valid", "tests/scenarios/calls", "docs/examples")
SMALL = """version: 1
name: {name}
system: queue
duration: 10m
drain: 10m
workload:
  arrivals: {{rate: 30/min}}
  task: {{duration: {{distribution: exponential, mean: 3s}}}}
  tenants: [{{name: A, share: 50%}}, {{name: B, share: 50%}}]
queue: {{workers: 4, lease: {{duration: 30s, heartbeat: 5s}}}}
faults:
  - {{name: broken, type: transient_error, rate: 10%}}
  - {{name: crash, type: worker_crash, rate: 2%}}
  - {{name: twice, type: duplicate_enqueue, rate: 5%}}
slos: [success_rate >= 90%, "latency_p95{{tenant=*}} <= {limit}", duplicate_executions == 0]
alerts: [{{name: slow, when: latency_p95 > 20s, window: 2m, for: 30s}}]
abort: [{{name: dead, when: {abort}, window: 3m, min_samples: 5}}]
"""


@dataclass(frozen=True)
class Step:
    """A command that is given, and what came of it."""

    words: tuple[str, ...]
    code: int | None
    said: bytes

    @property
    def problem(self) -> str:
        """What is wrong with it; empty when nothing is."""
        if self.code is None:
            return f"hangs: not over after {LIMIT_S:g} s"
        if found := WRONG.search(self.said):
            line = self.said[found.start() :].splitlines()[0]
            return f"says {line.decode(errors='replace')[:200]!r}"
        return "" if self.code in DOCUMENTED else f"ends with exit code {self.code}"


@dataclass
class Stock:
    """What cases are made of: shipped scenarios and gates, and runs that were made of small ones."""

    place: Path
    scenarios: list[Path] = field(default_factory=list)
    gates: list[Path] = field(default_factory=list)
    runs: list[Path] = field(default_factory=list)

    @classmethod
    def make(cls, place: Path) -> "Stock":
        """Make the runs."""
        found = [path for folder in SCENARIOS for path in sorted((ROOT / folder).rglob("*.yaml"))]
        stock = cls(place, found, sorted((ROOT / "gates").glob("*.yaml")))
        for name, limit, abort in (("one", "1m", "success_rate < 10%"), ("two", "5s", "latency_p95 > 12s")):
            path = place / f"{name}.yaml"
            path.write_text(SMALL.format(name=name, limit=limit, abort=abort), encoding="utf-8")
            given = command(("run", str(path), "--out", str(place / name)), place)
            assert given.code in {0, 3, 4}, given
            stock.runs.append(place / name)
        calls = ROOT / "scenarios" / "resilience" / "ladder" / "retries.yaml"
        calls = calls if calls.exists() else next(path for path in found if "system: calls" in path.read_text())
        given = command(("run", str(calls), *SHORT, "--out", str(place / "three")), place)
        assert given.code in DOCUMENTED, given
        return Stock(place, found, stock.gates, [*stock.runs, place / "three"])


def command(words: tuple[str, ...], place: Path) -> Step:
    """Give a command in a process of its own, in the folder `place`, for at most LIMIT_S."""
    said = place / ".said"
    child = os.fork()
    if not child:
        _be_the_command(words, place, said)
    until, code = time.monotonic() + LIMIT_S, None
    while code is None and time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
        else:
            time.sleep(0.002)
    if code is None:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return Step(words, code, said.read_bytes())


def _be_the_command(words: tuple[str, ...], place: Path, said: Path) -> None:
    code = 99
    try:
        os.setpgid(0, 0)
        os.chdir(place)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for descriptor in (1, 2):
            os.dup2(out, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout, sys.stderr = (os.fdopen(descriptor, "w", errors="backslashreplace") for descriptor in (1, 2))
        from soak.runner.cli import run_command
        from soak.runner.console import flush

        code = run_command(list(words))
        flush()
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


# Cases.


def case(draw: random.Random, stock: Stock, place: Path) -> Iterator[Step]:
    """The commands of one case, each given as it is asked for."""
    from soak.reports import render

    # Plots take most of the time of a command: they are drawn in a part of the cases.
    drawn = draw.random() < PLOTS_SHARE
    render.render_plots = render_plots if drawn else lambda run: {}
    Figure.savefig = SAVE if drawn else lambda *_, **__: None
    kinds = (_of_a_scenario,) * 10 + (_of_an_override,) * 2 + (_of_a_gate,) * 3 + (_of_evidence,) * 8
    yield from draw.choice(kinds)(draw, stock, place)


def _texts(paths: Sequence[Path]) -> list[str]:
    return [path.read_text(encoding="utf-8-sig") for path in paths]


def _of_a_scenario(draw: random.Random, stock: Stock, place: Path) -> Iterator[Step]:
    others = _texts(stock.scenarios)
    # Most damage makes a scenario invalid: more often than not one that is not is looked for, since more becomes of it.
    for _ in range(draw.choice((1, TRIES))):
        (place / "case.yaml").write_bytes(damaged_yaml(draw, draw.choice(others), others))
        checked = command(("validate", "case.yaml", *draw.choice(((), ("--json",)))), place)
        yield checked
        if not checked.code:
            break
    yield command(("plan", "case.yaml"), place)
    yield from _run(draw, place, ())


def _of_an_override(draw: random.Random, stock: Stock, place: Path) -> Iterator[Step]:
    shutil.copy(draw.choice(stock.scenarios), place / "case.yaml")
    others = _texts(stock.scenarios)
    if draw.random() < 0.5:
        (place / "over.yaml").write_bytes(damaged_yaml(draw, draw.choice(others), others))
        more: tuple[str, ...] = ("--overlay", "over.yaml")
        yield command(("validate", "case.yaml", *more), place)
    else:
        keys = re.findall(r"[A-Za-z_-]+(?=:)", draw.choice(others))
        path = ".".join(draw.choices([*keys, "0", "-1", ""], k=draw.randrange(1, 4)))
        more = ("--set", f"{path}={draw.choice(NASTY)}")
    yield from _run(draw, place, more)


def _run(draw: random.Random, place: Path, more: tuple[str, ...]) -> Iterator[Step]:
    few = draw.choice((FEW, SHORT))
    ran = command(("run", "case.yaml", *few, *more, "--out", "run"), place)
    yield ran
    if ran.code in {0, 3, 4, 5} and (place / "run" / "SHA256SUMS").exists():
        verified = command(("verify", "run"), place)
        if verified.code:
            verified = Step(verified.words, verified.code, b"internal error: a run does not verify\n" + verified.said)
        yield verified
        power = ("power", "case.yaml", *few, *more, "-n", "5", "--jobs", "1", "--out", "p")
        yield command(draw.choice((power, ("monitoring", "case.yaml", "--out", "m"))), place)


def _of_a_gate(draw: random.Random, stock: Stock, place: Path) -> Iterator[Step]:
    for run in stock.runs[:2]:
        shutil.copytree(run, place / "runs" / run.name)
    (place / "results").mkdir()
    results = (stock.runs[0] / "junit.xml").read_bytes()
    (place / "results" / "a.xml").write_bytes(
        damaged_lines(draw, results, [results]) if draw.random() < 0.5 else results
    )
    text = draw.choice(_texts(stock.gates))
    (place / "gate.yaml").write_bytes(damaged_yaml(draw, text, _texts([*stock.gates, *stock.gates, *stock.scenarios])))
    yield command(("gate", "gate.yaml", "--out", "g"), place)


def _of_evidence(draw: random.Random, stock: Stock, place: Path) -> Iterator[Step]:
    run = draw.choice(stock.runs)
    shutil.copytree(run, place / "run")
    streams = [next(each.glob("soak_*.jsonl")) for each in stock.runs]
    victim = next((place / "run").glob("soak_*.jsonl"))
    if draw.random() < 0.35:
        victim = draw.choice([path for path in sorted((place / "run").iterdir()) if path.is_file()])
    content = victim.read_bytes()
    others = [path.read_bytes() for path in streams] if victim.suffix == ".jsonl" else [content]
    victim.write_bytes(damaged_lines(draw, content, others))
    if draw.random() < 0.85:
        from soak.runner.evidence.directory import RunDirectory

        RunDirectory(place / "run").write_checksums()
    if draw.random() < 0.1:
        (place / "run" / "SHA256SUMS").unlink(missing_ok=True)
    good = str(stock.runs[0])
    for words in (
        ("verify", "run"), ("report", "run"), ("watch", "run", "--json", "--replay", "1000000"), ("baseline", "run", "b.json"),
        ("compare", "run", good, "--out", "c1"), ("compare", good, "run", "--out", "c2"), ("export", "run", "--openmetrics"),
        ("compare", "b.json", good, "--out", "c3"), ("incident", "run"), ("gate", str(ROOT / "gates" / "pr.yaml"), "--out", "g"),
        ("calibrate", "run", "-n", "3", "--out", "k"), ("resume", "run"),
    ):  # fmt: skip
        if words[0] in {"verify", "report", "resume"} or draw.random() < 0.4:
            yield command(words, place)


# Telling of it.


def fuzz(seed: int, numbers: Sequence[int], keep: Path | None) -> int:
    """Make the cases and tell of each in which something is wrong; returns in how many."""
    wrong, shown_at, codes = 0, time.monotonic(), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        (Path(scratch) / "stock").mkdir()
        stock = Stock.make(Path(scratch) / "stock")
        for done, number in enumerate(numbers, 1):
            place = keep or Path(scratch) / "case"
            place.mkdir(parents=True)
            problems = []
            for step in case(random.Random(f"{seed}:{number}"), stock, place):
                codes["hangs" if step.code is None else str(step.code)] += 1
                if step.problem:
                    problems.append(f"  soak {' '.join(map(repr, step.words))}\n    {step.problem}")
            if problems:
                wrong += 1
                again = f"python benchmarks/fuzz.py --seed {seed} --case {number} --keep DIR"
                print(f"case {number}: {again}", *problems, sep="\n", flush=True)
            if not keep:
                shutil.rmtree(place)
            if time.monotonic() - shown_at > 10:
                shown_at = time.monotonic()
                print(f"{done} of {len(numbers)} cases, {codes.total()} commands: {wrong} wrong", flush=True)
    ended = ", ".join(f"{code}: {count}" for code, count in sorted(codes.items()))
    print(f"{len(numbers)} cases of seed {seed}, {codes.total()} commands (exit codes {ended}): {wrong} wrong")
    return wrong


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--case", type=int, help="make this case alone")
    parser.add_argument("--keep", type=Path, help="a new folder for the files of the case")
    asked = parser.parse_args()
    numbers = range(asked.first, asked.first + asked.count) if asked.case is None else [asked.case]
    if asked.keep and len(numbers) > 1:
        parser.error("--keep goes with --case")
    os.environ.update(GIT_CEILING_DIRECTORIES="/", TZ="UTC", NO_COLOR="1", COLUMNS="200")
    os.environ.pop("GITHUB_STEP_SUMMARY", None)
    _warm_up()
    return 1 if fuzz(asked.seed, numbers, asked.keep.absolute() if asked.keep else None) else 0


NEEDED = (
    "soak.runner.session", "soak.runner.evidence.verify",
    "soak.runner.targets.simulation", "soak.reports.render", "soak.runner.predict.session",
    "soak.runner.compare.session", "soak.runner.calibrate.session", "soak.runner.gate.session", "soak.runner.power.session",
)  # fmt: skip
"""Imported once, so that the processes of the commands have it."""


def _warm_up() -> None:
    import importlib

    commands = [f"soak.runner.cli.{path.stem}" for path in (ROOT / "runner" / "cli").glob("[a-z]*.py")]
    for name in (*commands, *NEEDED):
        importlib.import_module(name)


if __name__ == "__main__":
    raise SystemExit(main())
