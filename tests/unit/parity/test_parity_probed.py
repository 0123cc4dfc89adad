"""How far shares of probes may be apart: what restarts of the lengths that two runs have cannot tell, and no more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.runner.judge.comparable import Probed
from soak.runner.parity.figures import Measure, sli_figures
from soak.runner.parity.probed import with_probes
from soak.schemas.evidence.parity import Agreement, Figure
from soak.schemas.language.registry import catalogues
from soak.schemas.language.tolerance import SHARE

GREEN = {"health_green": catalogues()["pipeline"]["health_green"]}


def probed(*down_s: float, probes: int = 36, every_s: float = 10.0) -> Probed:
    return Probed(every_s, probes, {"harvest": (), "signal": down_s})


def compared(base: Probed, run: Probed, failed: tuple[int, int], speed: float = 10.0) -> Figure:
    """Two runs in which so many probes failed."""
    values = [{"health_green": 1 - each / 36} for each in failed]
    return next(sli_figures(GREEN, *values, Measure(speed), {"health_green": (base, run)}))


@pytest.mark.parametrize(
    ("base_s", "run_s", "failed", "status"),
    [
        # Nine seconds hold one probe of every ten seconds, or none.
        ((9, 9), (9.2, 9.3), (2, 3), Agreement.AGREES),
        ((9, 9), (9.2, 9.3), (2, 4), Agreement.AGREES),
        ((9, 9), (9.2, 9.3), (2, 5), Agreement.DIFFERS),
        ((9, 9), (9.2, 9.3), (2, 0), Agreement.AGREES),
        # Fourteen hold one or two.
        ((9, 9), (9.2, 14), (2, 5), Agreement.AGREES),
        ((9, 9), (9.2, 14), (2, 6), Agreement.DIFFERS),
        # A probe comes half a second late at most: 9.6 s may hold two.
        ((9,), (9.5,), (1, 2), Agreement.AGREES),
        ((9,), (9.5,), (1, 3), Agreement.DIFFERS),
        ((9,), (9.6,), (1, 3), Agreement.AGREES),
        # Without a restart nothing explains a probe that failed.
        ((), (), (0, 1), Agreement.DIFFERS),
        # A restart that one run has alone is found by its number, and explains nothing here.
        ((), (9,), (0, 1), Agreement.DIFFERS),
    ],
)
def test_a_probe_more_or_less_at_a_restart_agrees(
    base_s: tuple[float, ...], run_s: tuple[float, ...], failed: tuple[int, int], status: Agreement
) -> None:
    base, run = probed(*base_s), probed(*run_s)
    assert compared(base, run, failed).status is status
    assert compared(run, base, failed).status is status


def test_the_reason_is_told() -> None:
    figure = compared(probed(9, 9), probed(9.2, 9.3), (2, 3))
    assert figure.allowed == pytest.approx(2 / 36)
    assert figure.tolerance == "5.56 points (2 of 36 probes: restarts of these lengths may hold as many more)"


def test_what_is_declared_holds_where_there_are_many_probes() -> None:
    assert with_probes(SHARE, probed(9, 9, probes=100), probed(9, 9, probes=120), 0.5) == SHARE
    assert with_probes(SHARE, probed(9, 9, probes=99), probed(9, 9, probes=120), 0.5).absolute == 2 / 99
    assert with_probes(SHARE, probed(9, 9, probes=0), probed(9, 9), 0.5) == SHARE


@given(st.floats(0, 50), st.floats(0, 50), st.floats(0, 10), st.floats(0, 10))
def test_no_two_stretches_of_probes_differ_by_more(base_s: float, run_s: float, base_at: float, run_at: float) -> None:
    """Wherever between two probes each begins."""
    held = [len([t for t in range(0, 70, 10) if at <= t < at + d]) for at, d in ((base_at, base_s), (run_at, run_s))]
    allowed = with_probes(SHARE, probed(base_s, probes=10), probed(run_s, probes=10), 1e-9).absolute
    assert abs(held[0] - held[1]) / 10 <= max(allowed, SHARE.absolute)
