"""What a system is told of a scenario: in real seconds, with the floors of a real process."""

from pathlib import Path

import pytest
from pipeline_story import SCENARIO, scenario

from soak.runner.targets.pipeline.config import settings_of, write_settings
from soak.systems.pipeline.settings import read_settings

WHOLE = """
system: pipeline
duration: 10m
workload: {arrivals: {rate: 1/s}}
pipeline:
  source: {resume: false}
  records: {strong: 5%, low_consistency: 30%}
  processes:
    - name: harvest
      reads: source
      writes: raw
      buffer: 7
      overflow: drop_newest
      guarantee: at_least_once
      checkpoint: 8s
      service: {distribution: lognormal, median: 1s, p95: 2s}
    - {name: signal, reads: raw, writes: signals, service: {distribution: exponential, mean: 4ms}}
  sinks: [{name: jsonl, of: signals}, {name: sqlite, of: signals, batch: {rows: 20, every: 4s}}]
  supervisor:
    health: {every: 20s, start_timeout: 100s, timeout: 10s, unhealthy_after: 3}
    restart: {when: always, backoff: {initial: 2s, factor: 3, max: 40s}, max_restarts: 4, within: 8m, reset_after: 2m}
    shutdown: {grace: 40s}
  alerts: {no_records: {for: 2m}}
  stream_timeout: 40s
  export: {every: 2m}
"""


def test_times_are_real_seconds() -> None:
    told = settings_of(scenario(WHOLE).scenario, 4.0, {"stream": 8000})
    assert told["minutes"] == 10.0
    assert told["health"] == {"every": 5.0, "start_timeout": 25.0, "timeout": 2.5, "unhealthy_after": 3}
    assert told["restart"] == {
        "when": "always",
        "backoff": {"initial": 0.5, "factor": 3.0, "max": 10.0},
        "max_restarts": 4,
        "within": 120.0,
        "reset_after": 30.0,
    }
    assert told["shutdown"] == {"order": ["signal", "harvest"], "grace": 10.0}
    assert told["alerts"] == {
        "no_records": {"for": 30.0},
        "low_consistency": None,
        "strong_ratio": None,
        "settling": 0.5,
    }
    assert told["batch"] == {"jsonl": {"rows": 1, "every": 0.0}, "sqlite": {"rows": 20, "every": 1.0}}
    assert (told["stream_timeout"], told["export"], told["market"]) == (10.0, {"every": 30.0}, {"resume": False})
    assert (told["records"], told["ports"]) == ({"strong": 0.05, "low_consistency": 0.3}, {"stream": 8000})


def test_work_is_imitated_where_it_takes_long_enough() -> None:
    processes = settings_of(scenario(WHOLE).scenario, 4.0, {})["processes"]
    assert processes["harvest"]["service"] == {"distribution": "lognormal", "median": 0.25, "p95": 0.5}
    assert processes["signal"]["service"] == {"distribution": "exponential", "mean": 0.001}
    assert "service" not in settings_of(scenario(WHOLE).scenario, 40.0, {})["processes"]["signal"]
    assert processes["harvest"] | {"service": None} == {
        "buffer": 7,
        "overflow": "drop_newest",
        "guarantee": "at_least_once",
        "checkpoint": 2.0,
        "passes": "all",
        "service": None,
    }


def test_what_a_process_needs_is_not_scaled_away() -> None:
    told = settings_of(scenario(WHOLE).scenario, 1000.0, {})
    assert (told["health"]["timeout"], told["health"]["start_timeout"]) == (0.5, 5.0)
    assert (told["shutdown"]["grace"], told["stream_timeout"]) == (2.0, 0.5)


@pytest.mark.parametrize("speed", [1.0, 30.0])
@pytest.mark.parametrize("text", [WHOLE, SCENARIO.replace("file", "jsonl").replace("db", "sqlite")])
def test_the_bundled_pipeline_reads_them(tmp_path: Path, text: str, speed: float) -> None:
    write_settings(scenario(text).scenario, speed, {"stream": 8000}, tmp_path / "settings.json")
    read = read_settings(tmp_path / "settings.json")
    assert (read.speed, read.ports) == (speed, {"stream": 8000})
