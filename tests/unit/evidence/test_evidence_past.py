"""How long the runners of a run were at work, whatever ended it."""

import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from soak.runner.past import Past
from soak.schemas.evidence.verdict import End


@pytest.mark.parametrize("end", list(End))
def test_pauses_are_no_work(end: End) -> None:
    """It began 3,720 s ago, stood still for 60 s once, and then for an hour until now."""
    began = datetime.fromtimestamp(time.time() - 3720, UTC).strftime("%Y-%m-%dT%H:%M:%S%z")
    past = SimpleNamespace(
        manifest=SimpleNamespace(started_at=began),
        history=SimpleNamespace(paused_real_s=60.0, pause_real_s=3600.0),
        end=end,
    )
    assert Past.worked_real_s.fget(past) == pytest.approx(60, abs=5)
