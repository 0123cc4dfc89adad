"""What is noted of tasks while a stream is written is what its report would read of it."""

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from soak.reports.run_page import ended as ended_module
from soak.reports.run_page.ended import Ended, read_ended
from soak.runner.engine import identify
from soak.runner.evidence import endings as endings_module
from soak.runner.evidence.endings import Endings
from soak.runner.evidence.record import Recording
from soak.runner.evidence.stream import StreamWriter
from soak.runner.targets.simulation import Simulation
from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, make_block
from soak.schemas.stream.events import Kind
from soak.simulation.plan import Plan
from soak.simulation.run import simulate

ROOT = Path(__file__).parents[3]


def scenario(name: str) -> Scenario:
    return load(ROOT / "scenarios" / f"{name}.yaml", settings=("duration=3h",)).scenario


def both(plan: Plan, blocks: list[Block], path: Path) -> tuple[Ended, Ended]:
    """What is noted, and what is read."""
    noted = Endings()
    identity = identify(plan.scenario, "", plan.seed, Simulation(), abort=True)
    with StreamWriter(path, identity, plan.vocabulary) as stream:
        for block in blocks:
            stream.append(block)
            noted.append(block)
            noted.forget_if_long(path.stat().st_size)
    return noted.ended(), read_ended(path)


def assert_same(noted: Ended, read: Ended) -> None:
    for name in Ended.__struct_fields__:
        assert getattr(noted, name).tolist() == getattr(read, name).tolist(), name
        assert getattr(noted, name).dtype == getattr(read, name).dtype, name


@pytest.mark.parametrize(
    "name", ["72h", "failures/duplicate-dispatch", "failures/retry-storm", "resilience/network-retry"]
)
def test_simulations(name: str, tmp_path: Path) -> None:
    plan = Plan(scenario(name))
    noted, read = both(plan, list(simulate(plan)), tmp_path / "stream.jsonl")
    assert len(read.ended_s) >= 10
    assert_same(noted, read)


def test_tasks_that_are_due_twice_or_end_twice(tmp_path: Path) -> None:
    plan = Plan(scenario("72h"))
    enqueued, done, failed = Kind.TASK_ENQUEUED, Kind.TASK_DONE, Kind.TASK_FAILED
    first = make_block(
        [1.0, 2.0, 3.0, 4.0],
        [enqueued, enqueued, failed, done],
        task=[4, 2, 2, 8],
        value=[1.0, 1.5, 1.0, 1.0],
        until_s=5.0,
    )
    second = make_block(
        [6.0, 7.0, 8.0, 9.0],
        [done, enqueued, done, enqueued],
        task=[2, 4, 4, 6],
        value=[1.0, 6.25, 1.0, 9.0],
        until_s=10.0,
    )
    noted, read = both(plan, [first, second], tmp_path / "stream.jsonl")
    assert_same(noted, read)
    assert noted.due_s.tolist() == [1.5, 6.25]
    assert noted.ended_s.tolist() == [3.0, 8.0]
    assert noted.failed.tolist() == [True, False]
    assert noted.all_due_s.tolist() == [6.25, 1.5, 9.0]


def test_a_stream_that_is_too_long_to_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(scenario("72h"))
    for module in (ended_module, endings_module):
        monkeypatch.setattr(module, "MOST_BYTES", 1000)
    noted, read = both(plan, list(simulate(plan)), tmp_path / "stream.jsonl")
    assert not len(read.all_due_s)
    assert_same(noted, read)
    assert_same(Endings().ended(), read)


def test_without_any_end(tmp_path: Path) -> None:
    plan = Plan(scenario("72h"))
    block = make_block([1.0], [Kind.TASK_ENQUEUED], task=[2], value=[1.0], until_s=5.0)
    noted, read = both(plan, [block], tmp_path / "stream.jsonl")
    assert_same(noted, read)
    assert np.array_equal(noted.all_due_s, [1.0])


@pytest.mark.parametrize(
    ("clock", "settings", "noted"),
    [
        ("simulated", (), True),
        ("real", (), False),
        ("simulated", ("telemetry.compress=zstd",), False),
    ],
)
def test_only_a_simulation_notes_them(clock: str, settings: tuple[str, ...], noted: bool, tmp_path: Path) -> None:
    loaded = load(ROOT / "scenarios" / "72h.yaml", settings=("duration=3h", *settings))
    plan = Plan(loaded.scenario)
    identity = replace(identify(plan.scenario, loaded.sha256, plan.seed, Simulation(), abort=True), clock=clock)
    with Recording.start(tmp_path / "run", loaded, identity, plan) as recording:
        assert (recording.ended() is not None) is noted
