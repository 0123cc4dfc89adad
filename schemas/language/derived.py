"""Indicators beside the catalogue: any percentile of a series of durations, and the share of them up to a limit.

percentile  <series>_p<q>                  latency_p90, wait_p99.9: q above 0 and below 100
share       <series>_share_below(<limit>)  latency_share_below(2s): the share of durations of at most 2s
"""

import re
from collections.abc import Mapping
from decimal import Decimal

from msgspec.structs import replace

from soak.schemas import units
from soak.schemas.errors import quoted
from soak.schemas.language.expression import UnclearError, Unit
from soak.schemas.language.shape import did_you_mean
from soak.schemas.language.slis import Aggregate, Better, Sli
from soak.schemas.language.tolerance import SHARE

_PERCENTILE = re.compile(r"(?P<base>[a-z][a-z0-9_]*)_p(?P<q>[0-9]+(?:\.[0-9]+)?)")
_SHARE = re.compile(r"(?P<base>[a-z][a-z0-9_]*)_share_below\((?P<limit>.*)\)")
_MOST_DIGITS = 6


def bases(slis: Mapping[str, Sli]) -> dict[str, Sli]:
    """The series that have quantiles in a catalogue, each as one of its quantiles, by the name without its suffix."""
    found: dict[str, Sli] = {}
    for name, sli in slis.items():
        match = _PERCENTILE.fullmatch(name)
        if match and sli.aggregate is Aggregate.QUANTILE and sli.unit is Unit.DURATION and not sli.filters:
            found.setdefault(match["base"], sli)
    return found


def base_of(series: str, slis: Mapping[str, Sli]) -> Sli:
    """A series of durations by its name, as one of its quantiles. Raises UnclearError."""
    known = bases(slis)
    if series not in known:
        raise UnclearError(f"{series} is not a series of durations", did_you_mean(series, list(known)))
    return known[series]


def derived(name: str, slis: Mapping[str, Sli]) -> Sli | None:
    """The indicator that a name stands for which is not in the catalogue; None for a name of another kind.

    Raises UnclearError for one that would be such an indicator, but cannot be.
    """
    known = bases(slis)
    if (match := _PERCENTILE.fullmatch(name)) and match["base"] in known:
        return percentile(name, known[match["base"]], _q(match["base"], match["q"]))
    if match := _SHARE.fullmatch(name):
        base = base_of(match["base"], slis)
        try:
            limit_s = units.duration(match["limit"])
        except ValueError:
            what = f"{quoted(match['limit'])} is not a duration"
            raise UnclearError(what, f"write {match['base']}_share_below(2s)") from None
        return share_below(name, base, limit_s)
    return None


def percentile(name: str, base: Sli, q: float) -> Sli:
    """The `q` quantile of the durations of another indicator."""
    return replace(base, name=name, description=f"{100 * q:.10g} % quantile of {_what(base)}", q=q)


def share_below(name: str, base: Sli, limit_s: float) -> Sli:
    """The share of the durations of another indicator that are at most `limit_s`."""
    return replace(
        base,
        name=name,
        description=f"share of at most {units.show_duration(limit_s)} of {_what(base)}",
        unit=Unit.RATIO,
        aggregate=Aggregate.RATIO,
        series=name,
        better=Better.HIGHER,
        q=0.0,
        tolerance=SHARE,
        source=base.series,
        limit=limit_s,
    )


def _what(base: Sli) -> str:
    """What the durations of a quantile are of."""
    return base.description.partition(" of ")[2] or base.name


def _q(base: str, digits: str) -> float:
    """The quantile that the digits of a percentile stand for. Raises UnclearError."""
    value, (whole, _, rest) = Decimal(digits), digits.partition(".")
    if value >= 100:
        remedy = f"write {base}_max for the largest" if value == 100 else "write one above 0 and below 100"
        raise UnclearError(f"{base}_p{digits} is not a percentile", remedy)
    if not value or len(rest) > _MOST_DIGITS or len(whole) > 2:
        digits_ = f", with {_MOST_DIGITS} digits after the point at most" if value else ""
        raise UnclearError(f"{base}_p{digits} is not a percentile", f"write one above 0 and below 100{digits_}")
    return float(value / 100)
