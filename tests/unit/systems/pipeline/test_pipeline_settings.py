"""What is wrong with settings is said with the file and the setting."""

import json
from pathlib import Path

import pytest

from soak.systems.pipeline.__main__ import _parser, main, settings_of
from soak.systems.pipeline.defects import VARIABLE, WHAT, Defect
from soak.systems.pipeline.settings import Settings, SettingsError, read_settings, write_settings


def test_defaults_are_those_of_the_published_run() -> None:
    settings = Settings()
    assert (settings.health.every, settings.restart.backoff.initial, settings.batch.sqlite.rows) == (10.0, 1.0, 500)
    assert settings.shutdown.order == ("report", "broker", "signal", "harvest")
    assert (settings.sinks, settings.minute_s) == (("jsonl", "sqlite"), 60.0)
    assert settings.process("broker").passes == "confirmed"


def test_settings_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    settings = Settings(speed=60.0, defects=frozenset({Defect.LOGS_TRUNCATED}), ports={"signal": 4000})
    write_settings(settings, path)
    assert read_settings(path) == settings
    assert json.loads(path.read_text())["alerts"]["no_records"] == {"for": 120.0}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{", ()),
        ('{"healht": {}}', ()),
        ('{"health": {"every": 0}}', ()),
        ('{"restart": {"when": "sometimes"}}', ()),
        ('{"enable": ["harvest", "brokr"]}', ("enable", "brokr", "broker")),
        ('{"shutdown": {"order": ["harvest"]}}', ("shutdown.order", "signal")),
        ('{"timeseries_type": "influx"}', ("timeseries_url",)),
        ('{"timeseries_url": "127.0.0.1:8086"}', ("timeseries_url", "http://")),
        ('{"source": "http://127.0.0.1:1"}', ("source", "ws://")),
        ('{"defects": ["nothing"]}', ()),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, names: tuple[str, ...]) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(SettingsError) as raised:
        read_settings(path)
    assert all(name in str(raised.value) for name in ("config.json", *names)), raised.value


def test_the_command_line_is_above_the_environment_and_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"speed": 2, "sink": "jsonl", "timezone": "UTC", "ports": {"stream": 1}}')
    monkeypatch.setenv("REPORT_TZ", "Asia/Seoul")
    monkeypatch.setenv("TIMESERIES_TYPE", "influx")
    monkeypatch.setenv("TIMESERIES_URL", "http://127.0.0.1:1")
    words = ["run", "--config", str(path), "--sink", "dual", "--enable", "harvest,signal", "--defect", "logs_truncated"]
    settings = settings_of(_parser().parse_args(words))
    assert (settings.speed, settings.sink, settings.timezone) == (2.0, "dual", "Asia/Seoul")
    assert (settings.enable, settings.timeseries_type) == (("harvest", "signal"), "influx")
    assert (settings.defects, settings.ports) == ({Defect.LOGS_TRUNCATED}, {"stream": 1})


def test_an_unknown_time_zone_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REPORT_TZ", "Mars/Olympus")
    assert main(["run", "--dir", str(tmp_path / "run")]) == 2
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["harvest"], "--source"),
        (["broker"], "--exchange"),
        (["source", "--port", "4000"], "--control-port"),
        (["run"], "--dir"),
    ],
)
def test_what_a_command_misses_is_said(
    tmp_path: Path, words: list[str], names: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "raw.jsonl").write_text("")
    assert main([*words, "--dir", str(tmp_path)]) == 2
    assert names in capfd.readouterr().err


def test_a_defect_is_planted_by_the_environment_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = ["run", "--dir", str(tmp_path / "run"), "--defect", "logs_truncated"]
    monkeypatch.setenv(VARIABLE, "")
    assert settings_of(_parser().parse_args(words)).defects == {Defect.LOGS_TRUNCATED}
    monkeypatch.setenv(VARIABLE, "leak_in_harvest")
    assert settings_of(_parser().parse_args(words)).defects == {Defect.LOGS_TRUNCATED, Defect.LEAK_IN_HARVEST}
    monkeypatch.setenv(VARIABLE, "nothing")
    assert main(words) == 2


def test_every_defect_is_explained() -> None:
    assert set(WHAT) == set(Defect)
