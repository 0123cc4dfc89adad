"""The adapter for Celery: its target file with each broker, its truths, and a run of a team's own app where Celery is there."""

from pathlib import Path

import pytest

from soak.runner.cli import run_command
from soak.runner.selftest.truths import Case, Side, truths
from soak.runner.targets.adapters import adapters
from soak.schemas.target.load import load_target
from soak.schemas.target.model import Promise

ROOT = Path(__file__).parents[3]
TARGET = adapters()["celery"]
TRUTHS = [each for each in truths(ROOT / "scenarios" / "truths") if each.target == "celery"]


@pytest.mark.parametrize(("broker", "services"), [("redis", ["redis"]), ("rabbitmq", ["epmd", "rabbitmq"])])
def test_only_the_broker_that_was_asked_for_is_started(broker: str, services: list[str]) -> None:
    file = load_target(TARGET, {"broker": broker}).file
    assert [each.name for each in file.services] == services
    assert [each.name for each in file.services if each.role == "broker"] == services[-1:]
    assert file.environment["BROKER"] == broker


def test_options_become_what_they_are() -> None:
    options = {
        "concurrency": "3",
        "restarts": "false",
        "faketime": "60",
        "promises": "[at_least_once, {redelivery: 65m}]",
    }
    file = load_target(TARGET, options).file
    assert file.workers and file.promises
    assert (file.workers.concurrency, file.workers.restarts, file.faketime) == (3, False, 60)
    assert (file.promises.made, file.promises.redelivery_s) == ({Promise.AT_LEAST_ONCE, Promise.REDELIVERY}, 3900)


def test_by_default_a_task_is_not_promised_to_survive_its_worker() -> None:
    file = load_target(TARGET).file
    assert file.promises and file.faketime is None
    assert file.promises.made == {Promise.RETRIES, Promise.BACKOFF, Promise.PERMANENT_ERRORS}


@pytest.mark.parametrize("case", TRUTHS, ids=lambda case: f"{case.name}-{case.side}")
def test_truths_have_options_of_the_target(case: Case) -> None:
    load_target(TARGET, case.options)


def test_a_truth_names_the_environment_of_each_side() -> None:
    truth, control = [each for each in TRUTHS if each.name == "t4"]
    assert (truth.side, control.side, truth.tries) == (Side.TRUTH, Side.CONTROL, 5)
    assert {"python"} <= {*truth.options} & {*control.options}


SHOP = """version: 1
name: shop
system: queue
duration: 3s
drain: 30s
seed: 3
workload:
  arrivals: {scheduled: [{name: orders, count: 3, at: 1s}]}
  task: {duration: {distribution: constant, value: 1s}}
queue:
  workers: 1
  retry: {max_attempts: 4, backoff: [1s]}
slos: [success_rate >= 100%, lost_tasks == 0]
"""


@pytest.mark.foreign
def test_a_task_of_ones_own_runs_in_ones_own_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "docs" / "examples" / "shop")
    (tmp_path / "shop.yaml").write_text(SHOP)
    told = {
        "app": "shop.worker:app",
        "task": "shop.worker.charge",
        "promises": "[at_least_once, retries, {redelivery: 20s}]",
    }
    options = [word for name, value in told.items() for word in ("--option", f"{name}={value}")]
    run = tmp_path / "run"
    assert run_command(["run", str(tmp_path / "shop.yaml"), "--target", "celery", *options, "--out", str(run)]) == 0
    stream = next(run.glob("soak_*.jsonl")).read_text()
    assert stream.count('"task.done"') == 3
    assert "[tasks]\n  . shop.worker.charge\n  . soak.work" in (run / "system" / "w0.log").read_text()
