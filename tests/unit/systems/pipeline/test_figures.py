"""Figures of a sink, the daily report, and whether sinks agree."""

from pathlib import Path

import pytest

from soak.systems.pipeline.figures import Figures
from soak.systems.pipeline.parity import difference, parity
from soak.systems.pipeline.records import Raw, Signal, passes, signal_of
from soak.systems.pipeline.report import daily_report, markdown, read_alerts
from soak.systems.pipeline.settings import Batch, Passes, Settings, Shares
from soak.systems.pipeline.sinks import JsonlSink, SqliteSink
from soak.systems.pipeline.watch import line_protocol

EPOCH = 1_000_000.0


def signal(seq: int, sent_s: float, *, strong: bool = False, low: bool = False, symbol: str = "A") -> Signal:
    return Signal(seq, EPOCH + sent_s, 0.0, symbol, strong, strong and not low, low, 0)


FIVE = [
    signal(0, 0.0, strong=True),
    signal(1, 59.9, low=True, symbol="B"),
    signal(2, 60.0, strong=True, low=True),
    signal(3, 185.0, strong=True, symbol="B"),
    signal(4, 186.0),
]


def figures(signals: list[Signal]) -> Figures:
    made = Figures(EPOCH, 60.0)
    made.add(signals)
    return made


@pytest.mark.parametrize(
    ("strength", "consistency", "expected"),
    [(0.1, 0.3, (True, True, False)), (0.1, 0.1, (True, False, True)), (0.11, 0.2, (False, False, False))],
)
def test_confirmed_is_strong_and_not_of_low_consistency(
    strength: float, consistency: float, expected: tuple[bool, bool, bool]
) -> None:
    made = signal_of(Raw(7, 1.0, 2.0, "A", strength, consistency), Shares(0.11, 0.2), 99)
    assert (made.strong, made.confirm, made.low_consistency) == expected
    assert (made.seq, made.sent, made.input) == (7, 1.0, 99)


@pytest.mark.parametrize(("which", "seqs"), [("all", [0, 1, 2, 3, 4]), ("strong", [0, 2, 3]), ("confirmed", [0, 3])])
def test_what_is_passed_on(which: Passes, seqs: list[int]) -> None:
    assert [each.seq for each in FIVE if passes(each, which)] == seqs


def test_minutes_without_records_exist() -> None:
    assert [(minute, tally.total) for minute, tally in figures(FIVE).per_minute()] == [(0, 2), (1, 1), (2, 0), (3, 2)]


def test_a_report_has_local_times_and_every_record_once() -> None:
    changes: list[dict[str, object]] = [
        {"at": EPOCH + 65, "rule": "r", "level": "warning", "state": "fired", "details": "d"}
    ]
    report = daily_report(Settings(timezone="Asia/Seoul"), "jsonl", figures(FIVE), changes)
    assert (report["total"], report["strong"], report["confirm"], report["strong_ratio"]) == (5, 3, 2, 0.6)
    assert report["gating_breakdown"] == {"confirmed": 2, "not_strong": 2, "low_consistency": 1}
    assert report["session"] == {
        "from": "1970-01-12T22:46:40.000+09:00",
        "newest_record": "1970-01-12T22:49:46.000+09:00",
    }
    assert report["keys"] == {"first": 0, "last": 4}
    assert report["alerts"] == [{**changes[0], "time": "1970-01-12T22:47:45.000+09:00"}]
    text = markdown(report)
    assert "| 1970-01-12T22:47:45.000+09:00 | r | warning | fired | d |" in text
    assert "| B | 2 | 1 | 1 | 1 | 50.00 % |" in text
    assert "| 1970-01-12T22:48:40.000+09:00 | 0 | 0 | 0 | 0 | none |" in text


def test_a_report_without_records_says_so() -> None:
    report = daily_report(Settings(), "sqlite", figures([]), [])
    assert (report["total"], report["strong_ratio"], report["per_minute"]) == (0, None, [])
    assert "None." in markdown(report)


def test_line_protocol() -> None:
    lines = line_protocol(figures(FIVE), 2.5).split("\n")
    assert lines == [
        "pipeline total=5i,strong=3i,confirm=2i,strong_ratio=0.600000,per_minute=0i 2500000000",
        "pipeline_gating_breakdown confirmed=2i,not_strong=2i,low_consistency=1i 2500000000",
        "pipeline_symbol,symbol=A total=3i 2500000000",
        "pipeline_symbol,symbol=B total=2i 2500000000",
    ]


def test_sinks_are_compared_over_the_keys_that_both_have_reached(tmp_path: Path) -> None:
    lines, rows = JsonlSink(tmp_path / "signals.jsonl", Batch()), SqliteSink(tmp_path / "signals.db", Batch())
    positioned = [Signal(s.seq, s.sent, 0.0, s.symbol, s.strong, s.confirm, s.low_consistency, s.seq + 1) for s in FIVE]
    lines.offer(positioned)
    rows.offer([each for each in positioned[:4] if each.seq != 2])
    lines.flush()
    rows.flush()
    rows.close()
    found = parity(tmp_path)
    assert found["window"] == {"first": 0, "last": 3}
    assert found["differences"] == {"total": 0.25, "confirm": 0.0, "strong_ratio": pytest.approx(1 / 9)}
    assert found["agree"] is False


def test_an_empty_sink_has_no_window(tmp_path: Path) -> None:
    assert parity(tmp_path)["window"] is None


@pytest.mark.parametrize(("a", "b", "apart"), [(0, 0, 0), (100, 100, 0), (100, 99, 0.01), (99, 100, 0.01), (0, 5, 1)])
def test_a_difference_is_relative_to_the_larger(a: float, b: float, apart: float) -> None:
    assert difference(a, b) == apart


def test_reports_leave_no_file_open(tmp_path: Path) -> None:
    (tmp_path / "alerts.jsonl").write_text('{"at": 1.0}\n{"at": 2.0}\n')
    read_alerts(tmp_path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert [each["at"] for each in read_alerts(tmp_path)] == [1.0, 2.0]
    assert len(list(Path("/proc/self/fd").iterdir())) == before
