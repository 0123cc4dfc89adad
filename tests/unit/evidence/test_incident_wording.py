"""An incident that was made and filled in before its wording was revised is not taken for a changed one."""

from pathlib import Path

import pytest

from soak.runner.incident import generated_part

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


def test_an_incident_in_the_earlier_wording_is_unchanged() -> None:
    former = (GOLDEN / "former" / "abort-stalled.incident.md").read_text(encoding="utf-8")
    now = (GOLDEN / "abort-stalled.incident.md").read_text(encoding="utf-8")
    assert former != now
    assert generated_part(former) == generated_part(now)
    assert generated_part(former.replace("289 accepted", "290 accepted")) != generated_part(now)


@pytest.mark.parametrize(
    ("former", "now"),
    [
        (
            "    ops --db q retry --id 1          # FAILED: once more, when the cause is gone",
            "    ops --db q retry --id 1          # FAILED: retry once the cause is fixed",
        ),
        ("| errors until then | timeout 3 |", "| errors so far | timeout 3 |"),
        (
            "| detected by | `x` in a moving window of 5m: limit 1 |",
            "| detected by | `x` in a sliding window of 5m: limit 1 |",
        ),
    ],
)
def test_a_line_in_the_earlier_wording_is_unchanged(former: str, now: str) -> None:
    assert generated_part(former) == generated_part(now) == [now]
