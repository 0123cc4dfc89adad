"""What only some runs need is refused in words, before a run, with the command that installs it; the main job goes without."""

import sys
from pathlib import Path

import numpy as np
import pytest

import soak
from soak.runner.cli import run_command
from soak.runner.extras import EXTRAS

SCENARIO = """
version: 1
name: told
system: queue
duration: 10m
workload: {arrivals: {rate: 10/min}, task: {duration: {distribution: constant, value: 4s}}}
queue: {workers: 4}
slos: [success_rate >= 90%]
"""
NOTIFY = "notify: [{to: {from_env: SOAK_TEST_URL}}]\n"
EXPORT = 'export: [{type: pushgateway, url: "http://127.0.0.1:9"}]\n'


def without(monkeypatch: pytest.MonkeyPatch, *extras: str) -> None:
    for extra in extras:
        for module in EXTRAS[extra]:
            for loaded in [name for name in sys.modules if name.partition(".")[0] == module]:
                monkeypatch.delitem(sys.modules, loaded)
            monkeypatch.setitem(sys.modules, module, None)
            for ours in [name for name in sys.modules if name.startswith(f"soak.runner.{extra}.")]:
                monkeypatch.delitem(sys.modules, ours)


@pytest.mark.parametrize(
    ("more", "extra", "packages"),
    [(NOTIFY, "notify", "apprise, which is"), (EXPORT, "export", "prometheus-client, influxdb-client, which are")],
)
def test_a_real_run_says_what_it_misses_and_writes_nothing(
    more: str,
    extra: str,
    packages: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    without(monkeypatch, extra)
    monkeypatch.setenv("SOAK_TEST_URL", "json://127.0.0.1:9")
    (tmp_path / "told.yaml").write_text(SCENARIO + more)
    monkeypatch.chdir(tmp_path)
    assert run_command(["run", "told.yaml", "--target", "orchestrator", "--speed", "600"]) == 2
    said = capsys.readouterr()
    assert said.err == f"{extra}: needs {packages} not installed (in a checkout: pip install '.[{extra}]')\n"
    assert (said.out, [path.name for path in tmp_path.iterdir()]) == ("", ["told.yaml"])


def test_a_simulation_needs_it_only_where_people_are_to_be_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without(monkeypatch, *EXTRAS)
    (tmp_path / "told.yaml").write_text(SCENARIO + NOTIFY + EXPORT)
    monkeypatch.chdir(tmp_path)
    assert run_command(["run", "told.yaml", "--out", "run"]) == 0
    assert run_command(["monitoring", "told.yaml"]) == 0
    assert run_command(["run", "told.yaml", "--notify", "--out", "again"]) == 2
    assert "pip install '.[notify]'" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()
    for form in ("--openmetrics", "--line-protocol"):
        assert run_command(["export", "run", form, "--out", "figures"]) == 2
        assert f"soak export {form} needs prometheus-client" in (said := capsys.readouterr().err)
        assert "pip install '.[export]'" in said
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            'export: [{type: otlp, url: "http://127.0.0.1:9"}]\n',
            "export: otlp needs opentelemetry-sdk, opentelemetry-exporter-otlp-proto-common, urllib3, which are not installed"
            " (in a checkout: pip install '.[otlp]')\n",
        ),
        (
            'export: [{type: remote_write, url: "http://127.0.0.1:9"}]\n',
            "export: remote_write needs protobuf, cramjam, urllib3, which are not installed"
            " (in a checkout: pip install '.[remote-write]')\n",
        ),
    ],
)
def test_an_export_that_needs_more(
    more: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for extra in ("otlp", "remote-write"):
        for module in EXTRAS[extra]:
            monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "told.yaml").write_text(SCENARIO + more)
    monkeypatch.chdir(tmp_path)
    assert run_command(["run", "told.yaml", "--target", "orchestrator", "--speed", "600"]) == 2
    assert capsys.readouterr().err == said
    assert [path.name for path in tmp_path.iterdir()] == ["told.yaml"]


def test_an_environment_that_names_a_database_needs_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without(monkeypatch, "export")
    (tmp_path / "told.yaml").write_text(SCENARIO)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIMESERIES_TYPE", "scrape")
    monkeypatch.setenv("TIMESERIES_URL", "http://127.0.0.1:9464")
    assert run_command(["run", "told.yaml", "--target", "orchestrator"]) == 2
    assert "pip install '.[export]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("form", "packages"),
    [
        ("arrow", "pyarrow, which is"),
        ("pandas", "pandas, pyarrow, which are"),
        ("polars", "polars, pyarrow, which are"),
    ],
)
def test_a_table_says_what_it_misses(form: str, packages: str, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, form)
    tables = [soak.Events(Path("none"), {}), soak.Series({"t_s": np.array([60.0])}, {}), soak.Objectives(None, {})]  # type: ignore[arg-type]
    for table in tables:
        with pytest.raises(
            soak.UsageError, match=rf"needs {packages} not installed \(pip install 'soak-runner\[{form}\]'\)"
        ):
            getattr(table, form)()
    assert tables[1]["t_s"].tolist() == [60.0]  # type: ignore[index]
