"""What an experiment on intervals and tests found: a row of the table of `benchmarks/coverage.py`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """`statement`: what is said; `case`: of which data; shares from 0 to 1, None where it was not measured.

    wanted: what is asked for, such as "93 to 97 %". before: as it was when observations counted as independent. after: as it is,
    of the runs in which a statement was made. stated: the share of the runs in which one was.
    """

    statement: str
    case: str
    wanted: str
    before: float | None
    after: float | None
    stated: float
    runs: int
