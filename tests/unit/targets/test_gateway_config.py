"""What the bundled gateway is told of a scenario."""

from pathlib import Path

import pytest

from soak.runner.targets.gateway.config import settings_of
from soak.schemas.language.load import load

SCENARIO = """
version: 1
name: told
system: gateway
duration: 1m
workload:
  arrivals: {rate: 1/s}
  tenants: [{name: A, share: 60%}, {name: B, share: 40%}]
gateway: {pools: POOLS, limits: {rate: 5/s, burst: 7, tenants: {B: {rate: 2/s, burst: 3}}}, outbox: {drain_rate: 4/s}}
slos: [success_rate >= 99%]
"""


@pytest.mark.parametrize(("pools", "fair"), [("per_tenant", True), ("shared", False)])
def test_rates_are_per_real_second_and_pools_are_those_of_the_scenario(pools: str, fair: bool, tmp_path: Path) -> None:
    path = tmp_path / "told.yaml"
    path.write_text(SCENARIO.replace("POOLS", pools))
    assert settings_of(load(path).scenario, 10.0) == {
        "fair": fair,
        "tenants": [{"name": "A"}, {"name": "B", "rate": 20, "burst": 3}],
        "rate": 50,
        "burst": 7,
        "outbox_rate": 40,
    }
