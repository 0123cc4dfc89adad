"""What the source sends: a replay that may still grow, or its own data, which depend on seed and number alone."""

from pathlib import Path

import pytest

from soak.systems.pipeline.market import Generated, Replay, ReplayError, uniform
from soak.systems.pipeline.pace import Pace
from soak.systems.pipeline.settings import Market, Service


def test_a_replay_gives_what_is_due(tmp_path: Path) -> None:
    path = tmp_path / "replay.jsonl"
    line = '{{"seq":{0},"t":{1},"symbol":"A","strength":0.5,"consistency":0.25}}\n'
    replay = Replay(path)
    assert replay.due(9.0, 10) == []
    path.write_text(line.format(0, 1.0) + line.format(1, 2.0) + line.format(2, 3.0) + '{"seq":3,"t"')
    assert [each.seq for each in replay.due(2.0, 10)] == [0, 1]
    assert replay.due(2.9, 10) == []
    assert [each.seq for each in replay.due(9.0, 10)] == [2]
    with path.open("r+") as file:
        file.write(line.format(0, 1.0) + line.format(1, 2.0) + line.format(2, 3.0) + line.format(3, 4.0))
        file.write('{"end":true}\n')
    (last,) = replay.due(9.0, 10)
    assert (last.seq, last.symbol, last.strength, last.consistency) == (3, "A", 0.5, 0.25)
    assert (replay.due(99.0, 10), replay.ended) == ([], True)


def test_a_line_that_is_not_a_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "replay.jsonl"
    path.write_text('{"seq":0,"t":1.0}\n{"seq":"one"}\n')
    replay = Replay(path)
    with pytest.raises(ReplayError, match=r"^replay.jsonl:2: is not a record"):
        replay.due(9.0, 10)


def test_at_most_some_at_once() -> None:
    market = Generated(Market(rate=10.0), 1.0, 0.0)
    assert [each.seq for each in market.due(1.0, 4)] == [0, 1, 2, 3]
    assert [each.seq for each in market.due(1.0, 100)] == [4, 5, 6, 7, 8, 9, 10]
    assert market.due(-1.0, 100) == []


def test_own_data_end_with_the_run_and_speed_multiplies_them() -> None:
    market = Generated(Market(rate=10.0), 60.0, 0.5)
    assert len(market.due(0.25, 10_000)) == 151
    assert (len(market.due(9.0, 10_000)), market.ended) == (149, True)


def test_own_data_do_not_depend_on_how_they_are_asked_for() -> None:
    one, other = Generated(Market(seed=3), 1.0, 0.0), Generated(Market(seed=3), 1.0, 0.0)
    whole = one.due(100.0, 20_000)
    parts = [each for second in range(101) for each in other.due(float(second), 20_000)]
    assert whole == parts
    assert sum(each.symbol == "BTCUSDT" for each in whole) / len(whole) == pytest.approx(0.7, abs=0.015)
    assert sum(each.strength < 0.11 for each in whole) / len(whole) == pytest.approx(0.11, abs=0.01)
    assert sum(each.consistency < 0.2 for each in whole) / len(whole) == pytest.approx(0.2, abs=0.0125)
    assert Generated(Market(seed=4), 1.0, 0.0).due(100.0, 20_000) != whole


def test_uniform_numbers_are_from_zero_to_one() -> None:
    values = [uniform(1, number, stream) for number in range(1000) for stream in range(3)]
    assert min(values) >= 0.0
    assert max(values) < 1.0
    assert len(set(values)) == 3000


@pytest.mark.parametrize(
    ("service", "mean"),
    [
        (Service("constant", value=0.001), 0.001),
        (Service("exponential", mean=0.001), 0.001),
        (Service("uniform", low=0.0, high=0.002), 0.001),
        (Service("lognormal", median=0.001, p95=0.002), 0.001 * 2.718281828 ** (0.5 * (0.6931 / 1.6449) ** 2)),
    ],
)
def test_as_many_records_are_worked_on_at_once_as_their_work_is_short(service: Service, mean: float) -> None:
    pace = Pace(service, "seed")
    taken = [pace.take(1000) for _ in range(500)]
    # The last one begins before the time is over.
    assert 0.99 * 0.005 / mean <= sum(taken) / len(taken) <= 1.1 * 0.005 / mean + 1
    assert pace.take(1) == 1
    assert Pace(Service(), "seed").take(1000) == 1000
