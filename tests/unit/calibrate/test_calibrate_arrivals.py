"""`soak calibrate --arrivals`: known processes are recognised, and what it writes draws them again."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import yaml

from soak.runner.calibrate.arrivals.session import fit_arrivals
from soak.runner.calibrate.arrivals.source import of_trace
from soak.runner.cli import run_command
from soak.schemas.evidence.arrivals import ArrivalFit, Form
from soak.schemas.language.load import load
from soak.schemas.trace.settings import Reading
from soak.simulation.plan import Plan
from soak.simulation.streams import Stream

BEGIN = datetime(2026, 3, 23, 22, tzinfo=UTC)
DAY_S = 86_400.0


def generator(name: str) -> np.random.Generator:
    return Stream(11, name).at(0)


def poisson(rate: Callable[[np.ndarray], np.ndarray], most: float, until_s: float, name: str) -> np.ndarray:
    """A Poisson process of a rate that is at most `most`, by thinning (Lewis and Shedler 1979)."""
    draws = generator(name)
    time_s = np.sort(draws.uniform(0, until_s, draws.poisson(most * until_s)))
    return time_s[draws.random(len(time_s)) * most < rate(time_s)]


def fitted(
    folder: Path, time_s: np.ndarray, zone: str = "UTC", *, clock: bool = False, form: str = ".6f"
) -> ArrivalFit:
    begin_s = BEGIN.timestamp() if clock else 0.0
    path = folder / "trace.csv"
    path.write_text("t\n" + "".join(f"{begin_s + at:{form}}\n" for at in time_s.tolist()), encoding="utf-8")
    return fit_arrivals(of_trace(Reading(path, "t", zone=zone)), zone)


def scenario(folder: Path, fit: ArrivalFit, duration: str) -> Plan:
    data = yaml.safe_load(fit.scenario)
    data |= {"version": 1, "name": "fitted", "system": "queue", "duration": duration}
    data["workload"]["task"] = {"duration": {"distribution": "constant", "value": "1s"}}
    (folder / "fitted.yaml").write_text(json.dumps(data, default=lambda moment: moment.isoformat()), encoding="utf-8")
    return Plan(load(folder / "fitted.yaml").scenario)


def test_a_constant_rate(tmp_path: Path) -> None:
    fit = fitted(tmp_path, poisson(lambda t: np.full_like(t, 2.0), 2.0, 10_000, "constant"))
    assert (fit.form, fit.poisson, fit.batch_mean, fit.wait_factor) == (Form.CONSTANT, True, 1.0, 1.0)
    # Five standard deviations of a Poisson count of 20,000.
    assert fit.rates_per_s == [pytest.approx(2.0, abs=5 * 2.0 / 20_000**0.5)]
    assert fit.gap_variation == pytest.approx(1.0, abs=0.05)


def test_steps(tmp_path: Path) -> None:
    fit = fitted(tmp_path, poisson(lambda t: np.where(t < 3000, 1.0, 4.0), 4.0, 6000, "steps"))
    assert (fit.form, fit.poisson) == (Form.STAGES, True)
    assert fit.rates_per_s == [pytest.approx(1.0, rel=0.1), pytest.approx(4.0, rel=0.05)]
    plan = scenario(tmp_path, fit, "6000s")
    assert plan.rate.expected(3000.0) == pytest.approx(3000, rel=0.1)
    assert plan.rate.expected(6000.0) == pytest.approx(15_000, rel=0.05)


@pytest.mark.parametrize(("period_s", "burst_from_s", "burst_s"), [(3600, 0, 300), (900, 450, 90)])
def test_bursts_that_repeat(tmp_path: Path, period_s: int, burst_from_s: int, burst_s: int) -> None:
    def rate(time_s: np.ndarray) -> np.ndarray:
        phase = time_s % period_s
        return np.where((phase >= burst_from_s) & (phase < burst_from_s + burst_s), 1.0, 0.1)

    time_s = poisson(rate, 1.0, DAY_S, f"bursts-{period_s}")
    fit = fitted(tmp_path, time_s)
    assert (fit.form, fit.period_s, fit.poisson) == (Form.CYCLE, period_s, True)
    assert sorted(fit.rates_per_s) == [pytest.approx(0.1, rel=0.1), pytest.approx(1.0, rel=0.1)]
    plan = scenario(tmp_path, fit, "24h")
    for from_s, to_s in ((burst_from_s, burst_from_s + burst_s), (burst_from_s + burst_s, period_s)):
        expected = plan.rate.expected(float(to_s)) - plan.rate.expected(float(from_s))
        assert expected == pytest.approx(float(rate(np.arange(from_s, to_s) * 1.0).sum()), rel=0.1)


def daily(zone: str) -> Callable[[np.ndarray], np.ndarray]:
    """0.2 a second from 9 to 17 by the local clock, 0.02 otherwise."""

    def rate(time_s: np.ndarray) -> np.ndarray:
        quarters = (time_s // 900).astype(np.int64)
        moments = [
            (BEGIN + timedelta(seconds=900 * q)).astimezone(ZoneInfo(zone)).hour for q in range(quarters.max() + 1)
        ]
        hours = np.array(moments)[quarters]
        return np.where((hours >= 9) & (hours < 17), 0.2, 0.02)

    return rate


def test_a_day_by_the_local_clock_over_a_change_of_it(tmp_path: Path) -> None:
    time_s = poisson(daily("Europe/Berlin"), 0.2, 10 * DAY_S, "daily")
    fit = fitted(tmp_path, time_s, "Europe/Berlin", clock=True)
    assert (fit.form, fit.poisson) == (Form.DAY, True)
    assert fit.rates_per_s == [pytest.approx(0.2, rel=0.05), pytest.approx(0.02, rel=0.1)]
    points = yaml.safe_load(fit.scenario)["workload"]["arrivals"]["profile"]["points"]
    assert [point["at"] for point in points] == ["09:00", "17:00"]
    plan = scenario(tmp_path, fit, "10d")
    for until_s in (DAY_S, 5 * DAY_S, 10 * DAY_S):
        count = int((time_s < until_s).sum())
        assert plan.rate.expected(until_s) == pytest.approx(count, abs=5 * count**0.5)


def test_a_week(tmp_path: Path) -> None:
    def rate(time_s: np.ndarray) -> np.ndarray:
        day = ((time_s + BEGIN.timestamp()) // DAY_S).astype(np.int64) % 7
        return np.where((day == 2) | (day == 3), 0.01, 0.05)  # 1970-01-01 was a Thursday: Saturday and Sunday

    fit = fitted(tmp_path, poisson(rate, 0.05, 28 * DAY_S, "week"), clock=True)
    assert (fit.form, fit.poisson) == (Form.WEEK, True)
    points = yaml.safe_load(fit.scenario)["workload"]["arrivals"]["profile"]["points"]
    assert [point["at"] for point in points] == ["mon 00:00", "sat 00:00"]


@pytest.mark.parametrize(("size", "written"), [(5, {"size": 5}), (0, {"mean": pytest.approx(4.0, rel=0.1)})])
def test_batches(tmp_path: Path, size: int, written: dict[str, object]) -> None:
    first = poisson(lambda t: np.full_like(t, 1.0), 1.0, 5_000, "batches")
    sizes = np.full(len(first), size) if size else generator("sizes").geometric(0.25, len(first))
    fit = fitted(tmp_path, np.repeat(first, sizes))
    assert fit.poisson
    assert fit.batch_mean == pytest.approx(size or 4.0, rel=0.1)
    assert yaml.safe_load(fit.scenario)["workload"]["arrivals"]["batch"] == written
    assert scenario(tmp_path, fit, "5000s").rate.expected(5000.0) == pytest.approx(int(sizes.sum()), rel=0.01)


def test_times_in_whole_seconds_are_no_batches(tmp_path: Path) -> None:
    fit = fitted(tmp_path, poisson(lambda t: np.full_like(t, 2.0), 2.0, 10_000, "rounded"), form=".0f")
    assert (fit.form, fit.poisson, fit.batch_mean, fit.resolution_s) == (Form.CONSTANT, True, 1.0, 1.0)


def clustered(name: str) -> np.ndarray:
    """A Neyman and Scott process: at each of some instants on average ten arrivals, within 20 seconds."""
    parents = poisson(lambda t: np.full_like(t, 0.1), 0.1, 20_000, name)
    draws = generator(f"{name}-sizes")
    return np.sort(np.concatenate([at + draws.uniform(0, 20, draws.poisson(10)) for at in parents.tolist()]))


def test_clusters_are_no_poisson_process_and_do_not_get_a_rate_each(tmp_path: Path) -> None:
    fit = fitted(tmp_path, clustered("clusters"))
    assert not fit.poisson
    assert len(fit.rates_per_s) < 30
    # Of so long windows: the mean of the squared number in a cluster over its mean, 1 + 10.
    assert fit.dispersion[-1].index == pytest.approx(11.0, rel=0.5)
    assert fit.wait_factor == pytest.approx(6.0, rel=0.5)


def test_regular_arrivals_are_no_poisson_process(tmp_path: Path) -> None:
    fit = fitted(tmp_path, np.arange(5_000) * 2.0)
    assert not fit.poisson
    assert fit.wait_factor < 0.7


def test_few_of_many_poisson_traces_are_called_otherwise(tmp_path: Path) -> None:
    found = [
        fitted(tmp_path, poisson(lambda t: np.full_like(t, 1.0), 1.0, 2_000, f"many-{n}")).poisson for n in range(40)
    ]
    # Three tests at 1 %, and up to four scales at 1 %: more than 8 of 40 is beyond the 99.9 % quantile.
    assert found.count(False) <= 8


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    fitted(tmp_path, clustered("command"))
    assert run_command(["calibrate", "--arrivals", "trace.csv", "--time", "t", "--out", "load.yaml"]) == 3
    said = capsys.readouterr().out
    assert said.startswith("NOT POISSON  trace.csv: arrivals depend on one another\n")
    assert (
        "Given this rate arrivals are burstier than a Poisson process: simulated with it, waits come out too short."
        in said
    )
    assert said.endswith((tmp_path / "load.yaml").read_text())
    assert run_command(["calibrate", "--arrivals", "trace.csv", "--time", "t", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["poisson"] is False
    for words, expected in (
        (["--arrivals", "trace.csv"], "trace.csv: which column has the times? (add --time created_at)"),
        (["--arrivals", "none.csv", "--time", "t"], "none.csv: none.csv: No such file or directory"),
        (["--arrivals", "trace.csv", "--time", "due"], "trace.csv: has no column 'due' (write one of: t)"),
        (["--arrivals", "trace.csv", "--time", "t", "--timezone", "Mars"], "--timezone: 'Mars' is not a time zone"),
        (["--arrivals", "trace.csv", "--time", "t", "--out", "load.yaml"], "load.yaml: exists already"),
        ([], "Missing argument 'RUN_DIR'"),
        (["run", "--arrivals", "trace.csv"], "leave one out"),
    ):
        assert run_command(["calibrate", *words]) == 2
        assert expected in capsys.readouterr().err


def test_the_arrivals_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(
        "version: 1\nname: s\nsystem: queue\nduration: 2h\nworkload: {arrivals: {rate: 1/s}, "
        "task: {duration: {distribution: constant, value: 100ms}}}\n"
        "slos: [success_rate >= 90%]\n"
    )
    assert run_command(["run", "s.yaml", "--out", "run"]) == 0
    assert run_command(["calibrate", "--arrivals", "run"]) == 0
