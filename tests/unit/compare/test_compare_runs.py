"""Comparing runs: noise raises no alarm, what became worse is found, and bad input is told."""

import json
import textwrap
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator

from soak.runner.cli import run_command
from soak.runner.compare.baseline import baseline_of, read_baseline, read_sides
from soak.runner.compare.changes import compare
from soak.runner.compare.noise import holm
from soak.runner.compare.parts import PARTS
from soak.schemas.errors import EvidenceError, UsageError
from soak.schemas.evidence.changes import Baseline, Changes, Direction
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.schema import read_schema

pytestmark = pytest.mark.usefixtures("undrawn")

SCENARIO = """
    version: 1
    name: compared
    system: queue
    duration: 8h
    drain: 1h
    seed: {seed}
    workload:
      arrivals: {{rate: 12/min}}
      task: {{duration: {{distribution: exponential, mean: {mean}}}}}
    queue: {{workers: 4}}
    faults:
      - {{name: permanent, type: permanent_error, rate: {rate}}}
    slos: [success_rate >= 50%]
"""


def soak(path: Path, seed: int = 1, mean: str = "8s", rate: str = "5%") -> Path:
    path.mkdir()
    (path / "s.yaml").write_text(textwrap.dedent(SCENARIO).format(seed=seed, mean=mean, rate=rate))
    assert run_command(["run", str(path / "s.yaml"), "--out", str(path / "run")]) == 0
    return path / "run"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    top = tmp_path_factory.mktemp("compare")
    return {
        "base": soak(top / "base"),
        "same": soak(top / "same"),
        "other seed": soak(top / "other", seed=2),
        "slower": soak(top / "slower", seed=2, mean="9s"),
        "worse": soak(top / "worse", seed=2, rate="15%"),
        "better": soak(top / "better", seed=2, mean="6s"),
    }


def changed(runs: dict[str, Path], name: str, *objectives: str) -> Changes:
    return compare(baseline_of(runs["base"]), baseline_of(runs[name]), alpha=0.01, least=0.05, objectives=objectives)


def directions(changes: Changes) -> dict[str, Direction]:
    return {
        each.sli: each.direction
        for each in changes.changes
        if each.direction not in {"UNCHANGED", "UNTESTED", "UNKNOWN"}
    }


def test_the_same_run_and_another_seed_are_no_change(runs: dict[str, Path]) -> None:
    for name, paired in (("same", True), ("other seed", False)):
        changes = changed(runs, name)
        assert (changes.regressed, directions(changes), changes.paired) == (False, {}, paired)


def test_what_became_worse_is_found(runs: dict[str, Path]) -> None:
    slower = changed(runs, "slower")
    assert slower.regressed
    assert directions(slower)["latency_mean"] is Direction.WORSE
    worse = changed(runs, "worse")
    assert directions(worse)["success_rate"] is Direction.WORSE
    assert "success_rate is worse" in worse.reasons[0]


def test_what_became_better_is_no_regression(runs: dict[str, Path]) -> None:
    better = changed(runs, "better")
    assert not better.regressed
    assert directions(better)["latency_mean"] is Direction.BETTER


def test_objectives_relative_to_the_base(runs: dict[str, Path]) -> None:
    changes = changed(
        runs, "slower", "latency_mean <= 1.05x baseline", "latency_mean <= 2x baseline", "rss <= 1x baseline"
    )
    assert [each.status for each in changes.objectives] == [Status.FAIL, Status.PASS, Status.INCONCLUSIVE]
    base = next(each.base for each in changes.changes if each.sli == "latency_mean")
    assert changes.objectives[0].target == pytest.approx(1.05 * base)


@pytest.mark.parametrize("text", ["latency_p95 <= 120s", "latency_p95", "latency_p59 <= 1x baseline"])
def test_an_objective_that_is_none(runs: dict[str, Path], text: str) -> None:
    with pytest.raises(UsageError):
        changed(runs, "same", text)


def test_parts_add_up_to_the_whole(runs: dict[str, Path]) -> None:
    baseline = baseline_of(runs["base"])
    parts = baseline.slis["duplicate_executions"].slices
    assert len(parts) == PARTS
    assert baseline.part_s == pytest.approx(8 * 3600 / PARTS)
    latency = [value for value in baseline.slis["latency_mean"].slices if value is not None]
    assert min(latency) < baseline.slis["latency_mean"].value < max(latency)


@pytest.mark.drawn
def test_a_pinned_run_compares_like_the_run(runs: dict[str, Path], tmp_path: Path) -> None:
    pinned = tmp_path / "deep" / "base.json"
    assert run_command(["baseline", str(runs["base"]), str(pinned)]) == 0
    assert read_baseline(pinned) == baseline_of(runs["base"])
    Draft202012Validator(read_schema("baseline")).validate(json.loads(pinned.read_text()))
    out = tmp_path / "out"
    assert run_command(["compare", str(pinned), str(runs["slower"]), "--out", str(out)]) == 3
    changes = json.loads((out / "changes.json").read_text())
    Draft202012Validator(read_schema("changes")).validate(changes)
    assert msgspec.convert(changes, Changes).regressed
    assert "regressed" in (out / "changes.md").read_text().splitlines()[0]
    assert (out / "changes.svg").stat().st_size > 5_000
    assert run_command(["compare", str(pinned), str(runs["other seed"]), "--out", str(tmp_path / "out2")]) == 0


def test_a_base_that_is_none(tmp_path: Path, runs: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match="name a run directory or a baseline"):
        read_baseline(tmp_path / "nowhere.json")
    (tmp_path / "wrong.json").write_text("{}")
    with pytest.raises(EvidenceError, match="is not a baseline"):
        read_baseline(tmp_path / "wrong.json")
    newer = msgspec.structs.replace(baseline_of(runs["base"]), schema_version=9)
    (tmp_path / "newer.json").write_bytes(msgspec.json.encode(newer))
    with pytest.raises(EvidenceError, match="is of version 9"):
        read_baseline(tmp_path / "newer.json")
    assert isinstance(newer, Baseline)


# Several tests.


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, None, 0.005], 0.05) == [True, False, False, False, True]
    assert holm([0.02, 0.02], 0.05) == [True, True]
    assert holm([], 0.05) == []


# What cannot be told, and what is not alike.


def test_an_indicator_without_parts_is_not_called_unchanged(runs: dict[str, Path]) -> None:
    changes = compare(baseline_of(runs["base"]), baseline_of(runs["slower"]), alpha=0.05, least=0.05, objectives=[])
    directions = {each.sli: (each.direction, each.p) for each in changes.changes}
    assert directions["queue_depth"] == ("UNTESTED", None)
    assert all(p is not None for direction, p in directions.values() if direction in {"UNCHANGED", "WORSE", "BETTER"})


def test_an_early_baseline_is_compared_in_its_own_parts(runs: dict[str, Path], tmp_path: Path) -> None:
    """A baseline of before names neither system nor parts: it is the whole run in twenty."""
    now = baseline_of(runs["base"])
    slis = {name: msgspec.structs.replace(sli, slices=sli.slices[:20]) for name, sli in now.slis.items()}
    written = json.loads(msgspec.json.encode(msgspec.structs.replace(now, slis=slis)))
    for added in ("system", "part_s"):
        del written[added]
    (tmp_path / "early.json").write_text(json.dumps(written))
    base, run = read_sides(tmp_path / "early.json", runs["slower"])
    assert (base.baseline.system, base.baseline.part_length_s) == ("", 1440.0)
    assert len(run.baseline.slis["latency_mean"].slices) == 20
    assert run.baseline.part_length_s == 1440.0


def test_runs_of_two_systems_are_refused(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pinned = tmp_path / "base.json"
    pinned.write_bytes(msgspec.json.encode(msgspec.structs.replace(baseline_of(runs["base"]), system="calls")))
    assert run_command(["compare", str(pinned), str(runs["base"]), "--out", str(tmp_path / "out")]) == 2
    assert "a run of the system calls, the run one of queue" in capsys.readouterr().err


def test_it_is_said_in_what_two_runs_differ(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pinned = tmp_path / "base.json"
    other = msgspec.structs.replace(baseline_of(runs["base"]), scenario="another", target="orchestrator", speed=60.0)
    pinned.write_bytes(msgspec.json.encode(other))
    run_command(["compare", str(pinned), str(runs["base"]), "--out", str(tmp_path / "out")])
    told, said = capsys.readouterr()
    assert told.startswith("NOT COMPARABLE  compared\n")
    assert (tmp_path / "out" / "changes.md").read_text().startswith("# compared: not comparable\n")
    page = (tmp_path / "out" / "changes.html").read_text()
    assert "NOT COMPARABLE" in page and "NOT REGRESSED" not in page
    assert "not like for like: " in said
    for difference in ("scenario another and", "target orchestrator and simulation", "speed 60 and 1"):
        assert difference in said
    run_command(["compare", str(runs["base"]), str(runs["base"]), "--out", str(tmp_path / "same")])
    same = capsys.readouterr()
    assert same.out.startswith("NOT REGRESSED  compared\n") and "not like for like" not in same.err


def test_a_second_comparison_has_a_place_of_its_own(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(3):
        assert run_command(["compare", str(runs["base"]), str(runs["base"])]) == 0
    assert len(list(tmp_path.glob("compare-*/changes.md"))) == 3


def test_runs_with_nothing_in_common_are_not_compared(runs: dict[str, Path], tmp_path: Path) -> None:
    empty = msgspec.structs.replace(baseline_of(runs["base"]), slis={})
    (tmp_path / "empty.json").write_bytes(msgspec.json.encode(empty))
    assert run_command(["compare", str(tmp_path / "empty.json"), str(runs["base"]), "--out", str(tmp_path / "o")]) == 2


@pytest.mark.parametrize(
    "text", ["latency_p95<=1.1x baseline", "latency_p95 <= 1.1x", " latency_p95  <=  1.1x  baseline "]
)
def test_ways_to_write_a_relative_objective(runs: dict[str, Path], tmp_path: Path, text: str) -> None:
    words = [str(runs["base"]), str(runs["base"]), "--objective", text, "--out", str(tmp_path / "out")]
    assert run_command(["compare", *words]) == 0
    [objective] = json.loads((tmp_path / "out" / "changes.json").read_text())["objectives"]
    assert objective["objective"] == "latency_p95 <= 1.1x baseline"


@pytest.mark.parametrize(
    "text", ["latency_p95 <= 1.2.3x", "latency_p95 <= .x", f"latency_p95 <= {'9' * 400}x baseline"]
)
def test_a_relative_objective_that_is_none(runs: dict[str, Path], tmp_path: Path, text: str) -> None:
    words = [str(runs["base"]), str(runs["base"]), "--objective", text, "--out", str(tmp_path / "out")]
    assert run_command(["compare", *words]) == 2
