"""Checks and the teardown beside a target: when they are made, and that the teardown is done however a run ends."""

import json
import os
import signal
import time
from collections.abc import Generator
from functools import partial
from pathlib import Path

import pytest
from histories import loaded

from soak.runner.evidence.directory import CHECKS, RunDirectory
from soak.runner.evidence.verify import verify
from soak.runner.resume import resume_run
from soak.runner.session import run_loaded
from soak.runner.targets.context import RunContext
from soak.runner.targets.history import History
from soak.runner.targets.make import make_target
from soak.schemas.errors import SoakError, UsageError
from soak.schemas.evidence.verdict import End, Verdict
from soak.schemas.language.check import Figure
from soak.schemas.language.load import load
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import CENSUS, Kind
from soak.simulation.plan import Plan

_STEP_REAL_S = 0.05


class Instant:
    """A target that does all work at once. ends: what is done after half of the run. up: a file that is there while it is up."""

    name = "instant"
    clock = "real"
    speed = 1.0

    def __init__(self, ends: str = "") -> None:
        self.ends = ends
        self.up = Path()

    def prepare(self, directory: Path, history: History | None = None) -> None:
        """Keep the directory."""
        (directory / "system").mkdir()
        self.up = directory / "system" / "up"

    def run(self, plan: Plan) -> Generator[Block, None, None]:
        """The events of a run."""
        self.up.touch()
        context = RunContext.begin(plan, self.speed)
        try:
            yield from self._blocks(context)
        finally:
            context.close()
            self.up.unlink()

    def _blocks(self, context: RunContext) -> Generator[Block, None, None]:
        chunks = list(context.plan.submissions())
        work = [pair for each in chunks for pair in zip(each.due_s.tolist(), each.number.tolist(), strict=True)]
        for due_s, number in work:
            context.at(due_s, partial(self._done, context, number, due_s))
        while not context.is_over(lambda: False):
            time.sleep(_STEP_REAL_S)
            context.agenda.run(context.now())
            if context.now() > context.plan.scenario.duration_s / 2:
                self._end()
            yield context.journal.take(context.now())
        for state, kind in CENSUS.items():
            context.note(context.now(), kind, value=len(work) if state.name == "DONE" else 0)
        yield context.journal.take(context.now())

    def _done(self, context: RunContext, number: int, due_s: float) -> None:
        for kind in (Kind.TASK_ENQUEUED, Kind.TASK_DISPATCHED, Kind.TASK_DONE):
            context.note(context.now(), kind, number=number, attempt=1, worker=0, value=due_s)
        context.note(context.now(), Kind.SAMPLE_QUEUE_DEPTH)

    def _end(self) -> None:
        ends, self.ends = self.ends, ""
        if ends == "interrupted":
            os.kill(os.getpid(), signal.SIGINT)
        if ends == "failed":
            raise SoakError("it broke")


TEXT = """
duration: 2s
drain: 10s
warmup: 0s
workload:
  arrivals: {rate: 10/s}
  task: {duration: {distribution: constant, value: 1ms}}
  tenants: [{name: A, share: 60%}, {name: B, share: 40%}]
slos: [success_rate >= 50%]
checks:
  - {name: first, when: before, exec: [echo, '{"n": {offered}}'], expect: {n: 0}}
  - {name: often, when: every 200ms, exec: [echo, '{"n": {done}}'], expect: {n: ">= 0"}}
  - name: own
    for_each: tenant
    when: after
    exec: [sh, -c, 'ls {dir}/up > {dir}/{tenant}; echo "{\\"n\\": {done}}"']
    expect: {n: "== {done}"}
  - name: grows
    when: settled
    within: 5s
    exec: [sh, -c, 'echo x >> {dir}/tries; echo "{\\"n\\": $(wc -l < {dir}/tries)}"']
    expect: {n: ">= 3"}
teardown:
  - {name: down, for_each: tenant, exec: [sh, -c, 'ls {dir}/up >> {dir}/down']}
  - {name: fails, exec: ["false"]}
"""


def run(target: Instant, tmp_path: Path, *, abort: str = "") -> tuple[Verdict | None, Path]:
    """A run of TEXT; None where it failed."""
    out = tmp_path / "run"
    try:
        return run_loaded(loaded(TEXT + abort), target, out=out, abort=True, notify=False)[0], out
    except SoakError:
        return None, out


def types(out: Path) -> list[str]:
    """The types of events of checks and the end."""
    lines = (out / "soak_test.jsonl").read_text().splitlines()[1:]
    found = [json.loads(line)["type"] for line in lines]
    return [each for each in found if each.startswith(("check", "teardown", "run."))]


def test_checks_are_made_when_they_should(tmp_path: Path) -> None:
    target = Instant()
    verdict, out = run(target, tmp_path)
    assert verdict is not None
    assert {each.status.value for each in verdict.objectives} == {"PASS"}, verdict.reasons
    assert verdict.warned == ["teardown fails failed: its command ended with exit code 1"]
    assert (out / "system" / "tries").read_text().count("x") == 3
    # After all work, while the system was up, and before the teardown.
    assert [(out / "system" / name).read_text().count("up") for name in ("A", "B", "down")] == [1, 1, 2]
    told = types(out)
    assert told[:3] == ["run.started", "check.value", "check.done"]
    assert told.count("check.done") >= 1 + 3 + 2 + 3
    assert told.index("checks.began") < told.index("teardown.done")
    assert told[-4:] == ["teardown.done", "teardown.done", "teardown.failed", "run.ended"]
    kept = json.loads((out / CHECKS).read_text())
    own = {each["tenant"]: each["kept"][0]["values"] for each in kept["checks"] if each["check"] == "own"}
    assert sum(each["n"] for each in own.values()) == verdict.tasks["DONE"]
    assert own["A"]["n"] == own["A"]["{done}"] > own["B"]["n"]
    assert "## Teardown" in (out / "soak_summary.md").read_text()
    assert [each for each in verify(RunDirectory(out))[0] if each.problem] == []


@pytest.mark.parametrize(
    ("ends", "abort", "end"),
    [
        ("interrupted", "", End.INTERRUPTED),
        ("failed", "", End.CUT),
        ("", "abort: [{name: now, when: often_n >= 1}]\n", End.ABORTED),
    ],
)
def test_the_teardown_is_done_however_it_ends(ends: str, abort: str, end: End, tmp_path: Path) -> None:
    _, out = run(Instant(ends), tmp_path, abort=abort)
    verdict = json.loads((out / "verdict.json").read_text())
    assert verdict["end"] == end.value
    assert (out / "system" / "down").read_text().count("up") == 2
    assert types(out).count("teardown.done") == 2
    assert verdict["warnings"] == ["teardown fails failed: its command ended with exit code 1"]
    assert any("the check grows was not made" in each for each in verdict["reasons"])
    assert [each for each in verify(RunDirectory(out))[0] if each.problem and end is not End.CUT] == []


def test_words_of_commands_are_kept_where_they_name_files_that_are_no_secrets(tmp_path: Path) -> None:
    script, key, code = tmp_path / "check.py", tmp_path / "key", f"print('{{}}')  # {'x' * 300}"
    for path, mode in ((script, 0o644), (key, 0o600)):
        path.write_text("a")
        path.chmod(mode)
    words = ["python3", "check.py", "key", "-c", code.replace("{", "{{").replace("}", "}}")]
    check = {"name": "c", "when": "after", "exec": words, "expect": {"n": 0}}
    task = {"duration": {"distribution": "constant", "value": "1ms"}}
    workload = {"arrivals": {"rate": "1/s"}, "task": task}
    head = {"version": 1, "name": "a", "system": "queue", "duration": "1s", "slos": ["success_rate >= 50%"]}
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(json.dumps({**head, "workload": workload, "checks": [check]}))
    run_loaded(load(scenario), make_target("simulation"), out=tmp_path / "run", abort=True, notify=False)
    assert {each.name for each in (tmp_path / "run").iterdir()} & {"check.py", "key"} == {"check.py"}


def test_what_stands_for_nothing_is_refused_before_a_run(tmp_path: Path) -> None:
    text = """
    checks:
      - {name: a, when: after, exec: [echo, "{port.http}"], expect: {n: 0}}
      - {name: b, when: after, http: {path: /b}, expect: {n: 0}}
    """
    with pytest.raises(UsageError) as error:
        run_loaded(loaded(text), Instant(), out=tmp_path / "run", abort=True, notify=False)
    assert str(error.value).splitlines() == [
        "checks.a: {port.http} stands for nothing with target instant (it has no target file with ports)",
        "checks.b: the URL of target instant is not known (write http: {url: …}, or a whole url)",
    ]
    assert not (tmp_path / "run").exists()


def test_figures_are_those_of_the_language() -> None:
    assert [each.value for each in Figure] == ["offered", "done", "failed"]


def test_what_a_killed_runner_could_not_do_resume_does_once(tmp_path: Path) -> None:
    _, out = run(Instant(), tmp_path)
    stream = out / "soak_test.jsonl"
    lines = stream.read_text().splitlines(keepends=True)
    first = next(place for place, line in enumerate(lines) if '"teardown.' in line)
    stream.write_text("".join(lines[:first]))
    (out / "SHA256SUMS").unlink()
    (out / "system" / "down").unlink()
    (out / "system" / "up").touch()
    with pytest.raises(UsageError, match="used no target file"):
        resume_run(out, as_json=False, target_file=tmp_path / "target.yaml")
    assert not (out / "system" / "down").exists()
    for _ in range(2):
        with pytest.raises(UsageError):
            resume_run(out, as_json=False)
        assert (out / "system" / "down").read_text().count("up") == 2
        assert [each for each in types(out) if each.startswith("teardown")] == ["teardown.done"] * 2 + [
            "teardown.failed"
        ]
