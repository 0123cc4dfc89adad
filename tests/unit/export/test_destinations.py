"""Where figures go: the scenario says it, or the environment in its place."""

from pathlib import Path

import pytest

from soak.runner.export.destinations import exports_of
from soak.schemas.errors import UsageError
from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.schemas.language.outlets import Export, ExportType, Secret

SCENARIO = """
version: 1
name: sent
system: queue
duration: 1h
workload:
  arrivals: {rate: 1/min}
  task: {duration: {distribution: constant, value: 4s}}
slos: [success_rate >= 90%]
export:
  - {type: influxdb, url: 'http://127.0.0.1:8086/', database: soak, username: me, password: {from_file: secret}, every: 30s}
  - {type: scrape, port: 0}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    (tmp_path / "sent.yaml").write_text(SCENARIO)
    return load(tmp_path / "sent.yaml").scenario


def test_the_scenario_says_where(scenario: Scenario) -> None:
    influxdb, scrape = exports_of(scenario, {})
    assert influxdb == Export(
        ExportType.INFLUXDB,
        every_s=30,
        timeout_s=5,
        required=True,
        url="http://127.0.0.1:8086",
        database="soak",
        username="me",
        secret=Secret(None, "secret"),
    )
    assert (scrape.type, scrape.port, scrape.every_s) == (ExportType.SCRAPE, 0, 15)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (
            {"TIMESERIES_TYPE": "pushgateway", "TIMESERIES_URL": "http://127.0.0.1:9091/prefix/"},
            Export(ExportType.PUSHGATEWAY, 15, 5, required=True, url="http://127.0.0.1:9091/prefix"),
        ),
        (
            {
                "TIMESERIES_TYPE": "influxdb",
                "TIMESERIES_URL": "https://db.example:8086?db=soak",
                "TIMESERIES_USERNAME": "me",
                "TIMESERIES_PASSWORD": "pw",
            },
            Export(
                ExportType.INFLUXDB,
                15,
                5,
                required=True,
                url="https://db.example:8086",
                database="soak",
                username="me",
                secret=Secret("TIMESERIES_PASSWORD", None),
            ),
        ),
        (
            {"TIMESERIES_TYPE": "influxdb2", "TIMESERIES_URL": "http://127.0.0.1:8086?org=a&bucket=b"},
            Export(
                ExportType.INFLUXDB2,
                15,
                5,
                required=True,
                url="http://127.0.0.1:8086",
                database="b",
                org="a",
                secret=Secret("TIMESERIES_TOKEN", None),
            ),
        ),
        (
            {"TIMESERIES_TYPE": "scrape", "TIMESERIES_URL": "http://127.0.0.1:9464"},
            Export(ExportType.SCRAPE, 15, 5, required=True, port=9464),
        ),
    ],
)
def test_the_environment_comes_first(scenario: Scenario, environment: dict[str, str], expected: Export) -> None:
    assert exports_of(scenario, environment) == (expected,)


@pytest.mark.parametrize(
    ("named", "url", "told"),
    [
        ("pushgateway", "", "TIMESERIES_TYPE is set, but TIMESERIES_URL is not (set both, or neither)"),
        ("", "http://h:1", "TIMESERIES_URL is set, but TIMESERIES_TYPE is not (set both, or neither)"),
        ("pushgatway", "http://h:1", "TIMESERIES_TYPE: unknown value 'pushgatway' (did you mean 'pushgateway'?)"),
        ("pushgateway", "h:9091", "TIMESERIES_URL: write a URL such as http://127.0.0.1:9091"),
        ("pushgateway", "http://h:99999", "TIMESERIES_URL: write a URL such as http://127.0.0.1:9091"),
        ("pushgateway", "http://h:1?db=x", "TIMESERIES_URL: write a URL such as http://127.0.0.1:9091"),
        ("influxdb", "http://h:8086", "TIMESERIES_URL: write a URL such as http://127.0.0.1:8086?db=soak"),
        ("influxdb2", "http://h:8086?org=a", "TIMESERIES_URL: write a URL such as http://127.0.0.1:8086?org="),
        ("influxdb", "http://me:pw@h:1?db=x", "contains a user name or password (put them into TIMESERIES_USERNAME"),
    ],
)
def test_an_environment_that_says_too_little(scenario: Scenario, named: str, url: str, told: str) -> None:
    with pytest.raises(UsageError) as raised:
        exports_of(scenario, {"TIMESERIES_TYPE": named, "TIMESERIES_URL": url})
    assert told in str(raised.value)
    assert "pw" not in str(raised.value).replace("TIMESERIES_PASSWORD", "")
