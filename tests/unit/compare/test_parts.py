"""Parts of a run: equally long, of whole bursts, and as long as those of the other run."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from soak.runner.compare.parts import FEWEST, PARTS, Parts, parts_as_long, parts_of
from soak.schemas.language.load import load
from soak.schemas.language.model import Burst, Scenario, Scheduled

HOUR = 3600.0


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load(Path(__file__).resolve().parents[3] / "scenarios" / "72h.yaml").scenario


@pytest.mark.parametrize(
    ("hours", "every_h", "parts"),
    [
        (72, 1, Parts(72, HOUR)),
        (24, 0.25, Parts(48, 0.5 * HOUR)),
        (8, 1, Parts(8, HOUR)),
        # A prime number of bursts: what is left at the end is left out.
        (149, 1, Parts(74, 2 * HOUR)),
        # Too few bursts for whole ones.
        (5, 1, Parts(30, HOUR / 6)),
        (72, None, Parts(PARTS, HOUR)),
        (2, None, Parts(FEWEST, HOUR / 12)),
    ],
)
def test_parts_are_of_whole_bursts(scenario: Scenario, hours: float, every_h: float | None, parts: Parts) -> None:
    burst = None if every_h is None else Burst(every_h * HOUR, 60.0, 1.0)
    changed = replace(scenario, duration_s=hours * HOUR, workload=replace(scenario.workload, burst=burst))
    found = parts_of(changed)
    assert (found.count, found.length_s) == (parts.count, pytest.approx(parts.length_s))
    assert found.phases[-1].window.end_s <= changed.duration_s + 1e-6
    assert [phase.name for phase in found.phases[:2]] == ["0", "1"]


def test_parts_are_of_whole_rounds_of_what_comes_at_set_times(scenario: Scenario) -> None:
    nightly = Scheduled("nightly", 500, tuple(day * 24 * HOUR for day in range(10)), 24 * HOUR)
    for burst in (None, Burst(HOUR, 60.0, 1.0)):
        workload = replace(scenario.workload, burst=burst, scheduled=(nightly,))
        found = parts_of(replace(scenario, duration_s=240 * HOUR, workload=workload))
        assert (found.count, found.length_s) == (10, 24 * HOUR)


def test_another_run_is_cut_into_parts_as_long() -> None:
    assert parts_as_long(24 * HOUR, 2 * HOUR) == Parts(12, 2 * HOUR)
    assert parts_as_long(72 * HOUR, 72 * HOUR / 20).count == 20
    # Parts of a minute say nothing of a month.
    assert parts_as_long(720 * HOUR, 60.0).count == 0
