"""What a source is given to send: the records of the plan, ahead of time, in real seconds."""

import json
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pipelines import loaded

from soak.runner.targets.pipeline.dues import Dues
from soak.runner.targets.pipeline.feed import Feed, told
from soak.schemas.stream.events import KEY_SHIFT
from soak.simulation.pipeline.content import Content, Records
from soak.simulation.plan import Plan

TEXT = """
duration: 60s
workload: {arrivals: {rate: 100/s}, kinds: [{name: A, share: 30%}, {name: B, share: 70%}]}
pipeline:
  records: {strong: 11%, low_consistency: 20%}
  processes: [{name: collect, reads: source, writes: raw}]
  sinks: [{name: file, of: raw}]
faults:
  - {name: weak, type: strength_drop, at: 20s, for: 20s, to: 1%}
  - {name: odd, type: consistency_drop, at: 20s, for: 20s, to: 95%}
"""


def written(path: Path) -> list[dict[str, object]]:
    """The lines of a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_records_are_written_as_far_ahead_as_they_are_wanted(tmp_path: Path) -> None:
    plan, path = Plan(loaded(TEXT).scenario), tmp_path / "replay"
    feed = Feed(plan, path, speed=2.0)
    feed.write(10.0)
    lines = written(path)
    assert all(float(str(line["t"])) <= 5.0 for line in lines)
    assert len(lines) == sum(int((chunk.due_s <= 10.0).sum()) for chunk in plan.again().submissions())
    feed.write(1000.0)
    lines = written(path)
    assert lines[-1] == {"end": True}
    assert feed.ended
    assert len(lines) - 1 == plan.offered == sum(len(chunk) for chunk in plan.again().submissions())
    feed.close()
    assert not path.exists()


def test_records_are_those_of_the_plan(tmp_path: Path) -> None:
    plan, path = Plan(loaded(TEXT).scenario), tmp_path / "replay"
    Feed(plan, path, speed=4.0).write(1000.0)
    lines = written(path)[:-1]
    whole = [chunk for chunk in plan.again().submissions() if len(chunk)]
    due_s, number = (np.concatenate([getattr(chunk, name) for chunk in whole]) for name in ("due_s", "number"))
    records, labels = Content(plan).of(number, due_s), plan.labels_of(number)
    assert [line["seq"] for line in lines] == (number >> KEY_SHIFT).tolist()
    assert np.allclose([float(str(line["t"])) * 4.0 for line in lines], due_s, atol=1e-5)
    assert [line["symbol"] for line in lines] == [plan.vocabulary.labels[label].kind for label in labels.tolist()]
    assert [float(str(line["strength"])) < 0.11 for line in lines] == records.strong.tolist()
    assert [float(str(line["consistency"])) < 0.20 for line in lines] == records.low_consistency.tolist()


def test_a_run_that_goes_on_begins_with_the_record_that_is_next(tmp_path: Path) -> None:
    plan, path = Plan(loaded(TEXT).scenario), tmp_path / "replay"
    Feed(plan, path, speed=1.0, from_number=1234).write(1000.0)
    assert written(path)[0]["seq"] == 1234
    assert plan.offered > 1234


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1), st.floats(0, 1))
def test_a_figure_is_on_the_side_of_the_share_that_it_should_be(value: float, now: float, usual: float) -> None:
    usual = round(usual, 4)
    chosen = np.array([value < now]) & (usual > 0)
    records = Records(np.array([value]), np.array([value]), chosen, chosen)
    strength, consistency = told(records, usual, usual)
    assert (strength < usual).tolist() == chosen.tolist()
    assert (consistency < usual).tolist() == chosen.tolist()
    assert 0 <= float(strength[0]) <= 1


def test_when_records_are_due_is_known_by_their_numbers() -> None:
    plan = Plan(loaded(TEXT).scenario)
    whole = np.concatenate([chunk.due_s for chunk in plan.again().submissions()])
    dues, none = Dues(plan), np.full(3, -1.0)
    assert dues.of(np.array([0, 5, 9]), none).tolist() == whole[[0, 5, 9]].tolist()
    last = len(whole) - 1
    assert dues.of(np.array([last, last + 1, 3]), none).tolist() == [whole[last], -1.0, whole[3]]
