"""What a scenario demands and watches: objectives, conditions, alerts."""

from enum import StrEnum

from msgspec import Struct

from soak.schemas.language.expression import Op, Selector, Unit
from soak.schemas.language.slis import Sli
from soak.schemas.units import write_duration


class Reference(Struct, frozen=True):
    """A target that is `factor` times the same SLI with `selector`.

    quotient: what is said of it is the quotient of the two, and not the value itself.
    """

    factor: float
    selector: Selector
    quotient: bool = False


class Comparison(Struct, frozen=True):
    """`sli{selector} op target`: the comparison of an objective or condition; `target` in base units."""

    text: str
    sli: Sli
    selector: Selector
    op: Op
    target: float | Reference

    @property
    def is_quotient(self) -> bool:
        """Whether what is compared, and said, is a quotient: its SLI is then that of either part, and so is its unit."""
        return isinstance(self.target, Reference) and self.target.quotient

    @property
    def observed(self) -> str:
        """The indicator whose values are observed: of a quotient, that of either part."""
        return f"{self.sli.series}_p{100 * self.sli.q:g}" if self.is_quotient else self.sli.name

    @property
    def limit(self) -> float | None:
        """What its value is compared with, where that is known before a run: in base units, of a quotient its factor."""
        if isinstance(self.target, Reference):
            return self.target.factor if self.target.quotient else None
        return self.target


class Objective(Struct, frozen=True):
    """An objective; `note`: source of its target. `entry`: the number of the entry it is of: `{tenant=*}` is many objectives.

    window_s: it must hold in every window of this length (None: at the end, over the run), or, with `share`, in that share of
    consecutive windows. warn: a stricter comparison of the same indicator; where it does not hold, PASS is with a warning.
    only_real: a simulation is not judged by it.
    """

    comparison: Comparison
    min_samples: int
    confidence: float | None
    note: str = ""
    entry: int = 0
    window_s: float | None = None
    share: float | None = None
    warn: Comparison | None = None
    only_real: bool = False

    @property
    def op(self) -> Op:
        """How its value and target compare."""
        return self.comparison.op if self.share is None else Op.GE

    @property
    def target(self) -> float | Reference:
        """What its value is compared with: of a share of windows, that share."""
        return self.comparison.target if self.share is None else self.share

    @property
    def unit(self) -> Unit:
        """The unit of its value and target."""
        if self.share is not None:
            return Unit.RATIO
        return Unit.COUNT if self.comparison.is_quotient else self.comparison.sli.unit


class Condition(Struct, frozen=True):
    """A condition evaluated during the run; `window_s` None: the run so far.

    name: empty for a part of a combination. stops: whether an abort condition ends the run.
    """

    name: str
    comparison: Comparison
    window_s: float | None
    for_s: float
    min_samples: int
    stops: bool = True

    @property
    def text(self) -> str:
        """The comparison as it is written, without its window."""
        return self.comparison.text

    @property
    def parts(self) -> tuple["Condition", ...]:
        """Itself: what it is made of."""
        return (self,)

    @property
    def longest_s(self) -> float | None:
        """Its window."""
        return self.window_s


class Combination(Struct, frozen=True):
    """Conditions that hold together: at the same time (`every`), or at least one of them."""

    name: str
    every: bool
    members: tuple["Condition | Combination", ...]
    for_s: float
    stops: bool = True

    @property
    def text(self) -> str:
        """In words."""
        word = " and " if self.every else " or "
        return word.join(f"({_in_words(each)})" for each in self.members)

    @property
    def parts(self) -> tuple[Condition, ...]:
        """All the conditions that it is made of."""
        return tuple(part for each in self.members for part in each.parts)

    @property
    def longest_s(self) -> float | None:
        """The longest of their windows; None where one is over the run so far."""
        windows = [part.window_s for part in self.parts]
        return None if None in windows else max(each for each in windows if each is not None)


def _in_words(member: Condition | Combination) -> str:
    window = f" over {write_duration(member.window_s)}" if isinstance(member, Condition) and member.window_s else ""
    return f"{member.text}{window}{f' for {write_duration(member.for_s)}' if member.for_s else ''}"


class Severity(StrEnum):
    """Severity of an alert."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Expectation(Struct, frozen=True):
    """The expected behaviour of an alert; `never`: it must not fire."""

    of: str | None = None
    fires_within_s: float | None = None
    resolves_within_s: float | None = None
    max_flaps: int | None = None
    at_least: int | None = None
    never: bool = False


class Alert(Struct, frozen=True):
    """A condition that fires and resolves."""

    condition: Condition | Combination
    severity: Severity
    keep_firing_for_s: float
    expect: Expectation | None
