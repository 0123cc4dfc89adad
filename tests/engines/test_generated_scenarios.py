"""The generator of random scenarios: always valid, always the same, and over the whole language of a queue."""

import re
from pathlib import Path

from engines.features import fault_types, features, keys
from engines.generated import Generated, scenario_of
from engines.smaller import smaller
from soak.schemas.language.load import load

SEEDS = range(500)
ELSEWHERE = re.compile(
    r"workload\.task\.(?!duration)|workload\.kinds\.(task\.(?!duration)|request|expect|save|service)|"
    r"telemetry\.compress|faults\.(dependency|retry_after|process|sink|during|to|times_as_slow)"
)
"""Keys of other systems, those of real runs, and those that need an extra."""


def test_scenarios_are_valid(tmp_path: Path) -> None:
    for seed in range(80):
        drawn = scenario_of(seed)
        assert load(drawn.write(tmp_path)).scenario.name == f"generated-{seed}"


def test_they_depend_on_the_seed_alone() -> None:
    assert [scenario_of(seed) for seed in range(50)] == [scenario_of(seed) for seed in range(50)]
    assert len({str(scenario_of(seed).data) for seed in range(50)}) == 50


def test_they_use_every_key_and_every_fault_of_a_queue() -> None:
    used = {each for seed in SEEDS for each in features(scenario_of(seed).data)}
    sections = ("queue", "workload", "faults", "phases", "telemetry", "checkpoints")
    known = [key for section in sections for key in keys(section)]
    assert len(known) > 150
    assert [key for key in known if key not in used and not ELSEWHERE.match(key)] == []
    assert [type_ for type_ in fault_types() if f"faults.type={type_}" not in used] == []


def test_times_coincide() -> None:
    """A good part of the scenarios have a lease, a hang, a window or an interval that is as long as another."""

    def equal(drawn: Generated) -> bool:
        settings, faults = drawn.data["queue"], drawn.data.get("faults", [])
        service = drawn.data["workload"].get("task", {}).get("duration", {}).get("value")
        lease = settings.get("lease", {}).get("duration", "none").replace(".000s", "s")
        hangs = {each.get("hang_for") for each in faults}
        return service is not None and service in {settings.get("poll_interval"), lease, *hangs}

    assert sum(equal(scenario_of(seed)) for seed in SEEDS) > 20


def test_a_scenario_is_made_smaller_as_long_as_it_shows_something() -> None:
    def shows(drawn: Generated) -> bool:
        return len(drawn.data.get("faults", [])) >= 2 and "queue" in drawn.data and "workload" in drawn.data

    drawn = next(scenario_of(seed) for seed in SEEDS if shows(scenario_of(seed)))
    less = smaller(drawn, shows)
    assert less.data == {"workload": {"tasks": 1}, "queue": {}, "faults": [{}, {}]}
