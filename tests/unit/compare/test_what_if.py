"""What if: paired replications find small effects, find none where there is none, and say what is wrong with a question."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import replace
from simulated import Here, made, write_scenario

from soak.runner.cli import run_command
from soak.runner.compare.dependence import hold_apart
from soak.runner.replications.replication import Job, Replication, jobs, paired_jobs
from soak.runner.replications.worker_pool import in_order
from soak.runner.whatif.effects import effects, together_of, values_of
from soak.runner.whatif.session import in_pairs
from soak.schemas.evidence.changes import Direction
from soak.schemas.evidence.whatif import Effect
from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.schemas.language.schema import read_schema

pytestmark = pytest.mark.usefixtures("undrawn")

COUNT = 12


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenario(tmp_path_factory.mktemp("what-if"))


@cache
def scenario_of(path: Path, *variant: str) -> Scenario:
    return load(path, tier="short", variant=variant).scenario


@cache
def pairs_of(path: Path, *variant: str) -> list[tuple[Replication, Replication]]:
    wanted = islice(paired_jobs(scenario_of(path), scenario_of(path, *variant)), 2 * COUNT)
    return list(in_pairs(in_order(Here(), wanted)))


def effects_of(path: Path, pairs: Sequence[tuple[Replication, Replication]]) -> dict[str, Effect]:
    values = values_of(list(scenario_of(path).slis.values()), pairs)
    return {each.sli: each for each in effects(values, together_of(values, alpha=0.05, least=0.0))}


# Effects.


def test_a_small_effect_is_found_in_pairs_and_not_without(path: Path) -> None:
    variant = "workload.task.duration.mean=8.2s"
    pairs = pairs_of(path, variant)
    effect = effects_of(path, pairs)["latency_mean"]
    assert effect.direction is Direction.WORSE
    assert effect.relative is not None
    assert effect.low is not None
    assert 0 < effect.low < effect.relative * (effect.base or 0)
    assert effect.gain is not None
    assert effect.gain > 5
    # As many replications of the variant, with seeds of their own.
    other = replace(scenario_of(path, variant), seed=99)
    independent = made([job for job, _ in zip(_in_full(jobs(other, other.seed)), range(COUNT), strict=False)])
    before = [base.slis["latency_mean"] for base, _ in pairs]
    p = hold_apart(before, [each.slis["latency_mean"] for each in independent]).p
    assert p is not None
    assert p > 0.05


def _in_full(some: object) -> object:
    return (Job(job.index, job.seed, job.scenario, in_full=True) for job in some)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("variant", "worse", "better"),
    [
        ("queue.workers=3", {"latency_mean", "wait_mean", "wait_p50"}, set()),
        ("queue.workers=6", set(), {"latency_mean", "wait_mean"}),
        ("queue.retry.max_attempts=1", {"success_rate", "recovery_rate"}, set()),
        ("faults.broken.rate=0%", set(), {"success_rate"}),
    ],
)
def test_the_sign_is_right(path: Path, variant: str, worse: set[str], better: set[str]) -> None:
    found = effects_of(path, pairs_of(path, variant))
    assert {name for name in worse if found[name].direction is not Direction.WORSE} == set()
    assert {name for name in better if found[name].direction is not Direction.BETTER} == set()
    for each in found.values():
        if each.difference is not None:
            assert each.difference == pytest.approx((each.variant or 0) - (each.base or 0), abs=1e-9)


def test_variants_without_a_difference_are_exactly_alike(path: Path) -> None:
    found = effects_of(path, pairs_of(path, "checkpoints.every=7m"))
    known = [each for each in found.values() if each.direction is not Direction.UNKNOWN]
    assert len(known) > 20
    for each in known:
        assert (each.difference, each.low, each.high, each.p, each.gain) == (0, None, None, 1, None)
        assert each.direction is Direction.UNCHANGED
        assert each.note == "the same in all 12 pairs: it differs in at most 22% of all"


def test_pairs_of_other_seeds_raise_no_alarm(path: Path) -> None:
    base, other = scenario_of(path), replace(scenario_of(path), seed=4)
    one, two = (
        made([job for job, _ in zip(_in_full(jobs(each, each.seed)), range(COUNT), strict=False)])
        for each in (base, other)
    )
    found = effects_of(path, list(zip(one, two, strict=True)))
    assert {each.direction for each in found.values()} <= {Direction.UNCHANGED, Direction.UNTESTED, Direction.UNKNOWN}
    gains = [each.gain for each in found.values() if each.gain is not None]
    assert 0.3 < float(np.median(gains)) < 3


def test_a_change_that_is_the_same_in_every_pair_is_no_noise(path: Path) -> None:
    pairs = pairs_of(path, "checkpoints.every=7m")
    later = [(base, _with(variant, wait_max=(base.slis["wait_max"] or 0) + 1.0)) for base, variant in pairs]
    effect = effects_of(path, later)["wait_max"]
    assert effect.direction is Direction.WORSE
    assert effect.difference == pytest.approx(1.0)
    # An interval without a width is none.
    assert (effect.low, effect.high, effect.note) == (None, None, "higher in 12 of 12 pairs, lower in 0")


def test_what_was_not_observed_in_both_is_left_out(path: Path) -> None:
    pairs = pairs_of(path, "queue.workers=3")
    holes = [
        (base, _with(variant, wait_mean=None) if place < 2 else variant) for place, (base, variant) in enumerate(pairs)
    ]
    effect = effects_of(path, holes)["wait_mean"]
    assert effect.pairs == COUNT - 2
    assert effect.variant_values[:2] == [None, None]
    few = [(base, _with(variant, wait_mean=None)) for base, variant in pairs[:7]] + pairs[7:]
    assert effects_of(path, few)["wait_mean"].direction is Direction.UNTESTED


def _with(replication: Replication, **slis: float | None) -> Replication:
    import msgspec

    return msgspec.structs.replace(replication, slis={**replication.slis, **slis})


def test_an_abort_condition_ends_no_replication_and_is_told(path: Path) -> None:
    aborting = scenario_of(path, "abort.slow.when=latency_p50 > 20s")
    [pair] = in_pairs(made(list(islice(paired_jobs(scenario_of(path), aborting), 2))))
    assert (pair[0].aborted_by, pair[1].aborted_by) == (None, "slow")
    assert pair[0].slis == pair[1].slis
    assert pair[0].ended_s == pair[1].ended_s


# The command.


def what_if(path: Path, out: Path, *words: str) -> int:
    return run_command(["compare", str(path), "--tier", "short", "--out", str(out), *words])


@pytest.mark.drawn
def test_files_and_lines_of_the_command(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "--with",
        "queue.workers=3",
        "--with",
        "queue.retry.max_attempts=2",
        "--set",
        "faults.net.rate=5%",
        "-n",
        "10",
    ]
    assert what_if(path, tmp_path / "out", *words, "--objective", "latency_mean <= 1.5x baseline") == 3
    said = capsys.readouterr()
    assert said.out.startswith("REGRESSED  small with queue.workers=3 queue.retry.max_attempts=2\n")
    assert "  WORSE      latency_mean  " in said.out
    assert "10 of 10 pairs" in said.err
    result = json.loads((tmp_path / "out" / "what_if.json").read_text())
    Draft202012Validator(read_schema("what_if")).validate(result)
    assert len(result["seeds"]) == len(set(result["seeds"])) == 10
    assert result["settings"] == ["faults.net.rate=5%"]
    assert result["base"]["scenario_sha256"] != result["variant"]["scenario_sha256"]
    assert sum(result["variant"]["verdicts"].values()) == 10
    text = (tmp_path / "out" / "what_if.md").read_text()
    assert text.startswith("# small with `queue.workers=3`, `queue.retry.max_attempts=2`: regressed")
    assert ", pair by pair" in (tmp_path / "out" / "what_if.svg").read_text()
    assert str(path.parent) not in text + json.dumps(result)


@pytest.mark.drawn
def test_the_same_question_has_the_same_answer_and_no_effect_no_alarm(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        assert what_if(path, tmp_path / name, "--with", "checkpoints.every=7m", "-n", "6", "--json") == 0
        assert json.loads(capsys.readouterr().out)["regressed"] is False
    for file in ("what_if.json", "what_if.md", "what_if.svg"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert "No SLI differs" in (tmp_path / "one" / "what_if.svg").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--with", "queue.wokers=3"],
            "--with queue.wokers=3: queue.wokers: unknown key 'wokers' (did you mean 'workers'?)",
        ),
        (["--with", "queue.workers"], "--with queue.workers: is not KEY=VALUE (write it like --with queue.workers=2)"),
        (["--with", "queue.workers=-1"], "--with queue.workers=-1: queue.workers:"),
        (["--with", "seed=8"], "both variants get the same seeds"),
        (["--with", "queue.workers=3", "--set", "queue.wokers=3"], "--set queue.wokers=3: queue.wokers: unknown key"),
        (["--with", "queue.workers=3", "-n", "5"], "-n"),
        (
            ["--with", "queue.workers=3", "--objective", "latency_p9 <= 1x"],
            "no SLI 'latency_p9' (did you mean 'latency_p9",
        ),
        (["--with", "queue.workers=3", "--parity"], "leave out --parity"),
        (["--with", "queue.workers=3", "other"], "leave out other"),
        ([], "--tier needs --with"),
    ],
)
def test_a_question_that_is_none(
    path: Path, tmp_path: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert what_if(path, tmp_path / "out", *words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_run_is_missing(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["compare", str(path)]) == 2
    assert "name a RUN to compare with BASE" in capsys.readouterr().err
    assert run_command(["compare", str(tmp_path), "--with", "queue.workers=3"]) == 2
    assert str(tmp_path) in capsys.readouterr().err
    assert run_command(["compare", str(tmp_path / "none.yaml"), "--with", "queue.workers=3"]) == 2


@pytest.mark.parametrize(("pairs", "answered"), [(6, True), (1, False)])
def test_an_interrupted_question_is_answered_as_far_as_it_got(
    path: Path, tmp_path: Path, pairs: int, answered: bool
) -> None:
    out, count = tmp_path / "out", 10 * pairs if answered else 1000
    words = ["compare", str(path), "--tier", "short", "--with", "queue.workers=3", "-n", str(count), "--out", str(out)]
    with subprocess.Popen(
        [sys.executable, "-m", "soak", *words],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        # The first line says what is simulated, the second that a tenth is done.
        process.stderr.readline()
        if answered:
            process.stderr.readline()
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(timeout=60) == 130, said
    assert out.exists() is answered
    if answered:
        assert pairs <= len(json.loads((out / "what_if.json").read_text())["seeds"]) < count
