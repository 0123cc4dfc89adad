"""How much of what an objective allows is used."""

from typing import Any

import msgspec
import pytest
from histories import verdict

from soak.runner.margin_bar import margin_bar, share_words, used
from soak.schemas.evidence.verdict import ObjectiveResult

HISTORY = "0 enqueued 1\n1 dispatched 1 w0\n2 started 1 w0 @1\n3 ended 1 w0 @1\n3 done 1\n"


def objective(**fields: Any) -> ObjectiveResult:
    [made] = verdict(HISTORY, "slos: [latency_p95 <= 120s]").objectives
    return msgspec.structs.replace(made, **fields)


@pytest.mark.parametrize(
    ("value", "op", "target", "unit", "share"),
    [
        (90.0, "<=", 120.0, "duration", 0.75),
        (267.0, "<=", 120.0, "duration", 2.225),
        (0.9998, ">=", 0.97, "ratio", 0.0002 / 0.03),
        (0.94, ">=", 0.97, "ratio", 2.0),
        (0.01, "<=", 0.05, "ratio", 0.2),
        (200.0, ">=", 100.0, "rate", 0.5),
        (0.0, "==", 0.0, "count", 0.0),
        (1.0, "==", 0.0, "count", 9.99),
        (0.9, "<", 1.0, "ratio", 0.9),
        (1.0, "==", 1.0, "ratio", 0.0),
        (0.999, "==", 1.0, "ratio", 9.99),
        (7.0, "==", 7.0, "count", 0.0),
        (6.0, "==", 7.0, "count", 9.99),
        (-3.0, "<=", 5.0, "count", 0.0),
        (1e9, "<=", 1.0, "count", 9.99),
        (None, "<=", 1.0, "count", None),
        (1.0, "<=", None, "count", None),
        (1.0, "~", 1.0, "count", None),
        (1.0, "<=", -1.0, "count", None),
    ],
)
def test_the_share_of_what_is_allowed(
    value: float | None, op: str, target: float | None, unit: str, share: float | None
) -> None:
    found = used(objective(value=value, op=op, target=target, unit=unit))
    assert found == (None if share is None else pytest.approx(share))


@pytest.mark.parametrize(
    ("share", "bar", "words"),
    [
        (0.0, "[··········|···]", "0%"),
        (0.003, "[█·········|···]", "<1%"),
        (0.68, "[███████···|···]", "68%"),
        (1.0, "[██████████|···]", "100%"),
        (1.001, "[██████████|█··]", "100%"),
        (1.2, "[██████████|██·]", "120%"),
        (9.99, "[██████████|███]", ">999%"),
    ],
)
def test_a_bar_is_read_without_color(share: float, bar: str, words: str) -> None:
    assert (margin_bar(share), share_words(share)) == (bar, words)
    assert margin_bar(share, full="#", empty=".") == bar.replace("█", "#").replace("·", ".")
