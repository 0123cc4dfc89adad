"""What an expression of PromQL says of a system, in the indicators of a scenario.

Names of metrics carry the meaning: `_seconds_bucket` is a latency, `5..` in a label `status` is a failure. What is taken for what
is in `metrics.py`; whatever is not recognised is not translated.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from soak.runner.importing.metrics import (
    DEAD_LETTERS,
    Outcome,
    counts_work,
    is_dead_letter,
    left_out,
    outcome_of,
    scale_of,
    series_of,
    share_below,
)
from soak.runner.importing.promql import COMPARISONS, Binary, Call, Node, Number, Series, is_shifted
from soak.schemas.language.expression import Op

_UNWRAPPED = frozenset(
    {"sum", "max", "avg", "group", "clamp_min", "clamp_max", "scalar", "vector", "abs", "round", "sort", "sort_desc"}
)
_RATES = frozenset({"rate", "irate", "increase"})
_OVER_TIME = frozenset({"max_over_time", "avg_over_time", "min_over_time"})
_HELD = {"min_over_time": (Op.GT, Op.GE), "max_over_time": (Op.LT, Op.LE)}
"""What is so of the least of some samples is so of all of them: the condition holds for that long."""
_FLIPPED = {Op.LE: Op.GE, Op.GE: Op.LE, Op.LT: Op.GT, Op.GT: Op.LT, Op.EQ: Op.EQ, Op.NE: Op.NE}


class UntranslatableError(ValueError):
    """An expression that a scenario cannot say; says why."""


class Indicator(Struct, frozen=True):
    """An indicator, of which the expression is `scale` times its value plus `offset`.

    over: the function that takes one of the samples in the window. odds: of an indicator that is a share s, the expression is
    that of (1 - s) / s. own: the definition of an indicator that is not in the catalogue. notes: what of the original is left
    out, and what is taken for what.
    """

    sli: str
    window_s: float | None = None
    scale: float = 1.0
    offset: float = 0.0
    over: str = ""
    odds: bool = False
    own: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()


class Simple(Struct, frozen=True):
    """A comparison of an indicator with a value in base units; `held_s`: for how long it must hold."""

    indicator: Indicator
    op: Op
    value: float
    held_s: float = 0.0


class Several(Struct, frozen=True):
    """Conditions of which all or any must hold."""

    how: str
    parts: "tuple[Condition, ...]"


Condition = Simple | Several


def condition_of(node: Node, recorded: Mapping[str, Node]) -> Condition:
    """What an alert's expression says. `recorded`: expressions of recording rules by name. Raises UntranslatableError."""
    now(node)
    node = _inlined(node, recorded, 0)
    now(node)
    if isinstance(node, Binary) and node.op in {"and", "or"}:
        how = "all" if node.op == "and" else "any"
        parts: list[Condition] = []
        for side in (node.left, node.right):
            part = condition_of(side, {})
            parts += part.parts if isinstance(part, Several) and part.how == how else (part,)
        return Several(how, tuple(parts))
    if isinstance(node, Binary) and node.op == "unless":
        raise UntranslatableError("a scenario has no `unless`: a condition is one of indicators alone")
    if isinstance(node, Call) and node.name in {"absent", "absent_over_time"}:
        raise UntranslatableError(
            "a missing series has no counterpart: a run that observes nothing is INCONCLUSIVE by itself"
        )
    if not (isinstance(node, Binary) and node.op in COMPARISONS):
        raise UntranslatableError("it compares nothing with a number")
    return _comparison(node)


def now(node: Node) -> None:
    """Raises UntranslatableError for an expression that looks at another time."""
    if is_shifted(node):
        raise UntranslatableError("a condition cannot look at another time (offset, @)")


def _inlined(node: Node, recorded: Mapping[str, Node], depth: int) -> Node:
    """With the series of recording rules replaced by what they record."""
    if depth > 10 or not recorded:
        return node
    if isinstance(node, Series) and node.name in recorded:
        return _selected(_inlined(recorded[node.name], recorded, depth + 1), node)
    if isinstance(node, Binary):
        return Binary(node.op, _inlined(node.left, recorded, depth), _inlined(node.right, recorded, depth))
    if isinstance(node, Call):
        return replace(node, arguments=tuple(_inlined(each, recorded, depth) for each in node.arguments))
    return node


def _selected(node: Node, by: Series) -> Node:
    """What a recording rule records, of the labels and over the range with which its name is used."""
    if isinstance(node, Series):
        return replace(node, matchers=(*node.matchers, *by.matchers), range_s=by.range_s or node.range_s)
    if by.range_s:
        raise UntranslatableError(f"a range of {by.name}, which is computed by a recording rule, has no counterpart")
    if isinstance(node, Binary):
        return Binary(node.op, _selected(node.left, by), _selected(node.right, by))
    if isinstance(node, Call):
        return replace(node, arguments=tuple(_selected(each, by) for each in node.arguments))
    return node


def _comparison(node: Binary) -> Simple:
    op, left, right = Op(node.op), node.left, node.right
    value = constant(right)
    if value is None:
        left, right, op, value = right, left, _FLIPPED[op], constant(left)
    if value is None:
        raise UntranslatableError("it compares two series with each other")
    found = indicator_of(left)
    value = (value - found.offset) / found.scale
    if (found.scale < 0) != found.odds:
        op = _FLIPPED[op]
    if found.odds:
        if value <= -1:
            raise UntranslatableError("no share of failures can be that")
        value = 1 / (1 + value)
    value = float(f"{value:.12g}")
    if op in _HELD.get(found.over, ()) and found.window_s:
        return Simple(replace(found, window_s=None), op, value, found.window_s)
    if found.over in {"avg_over_time", "min_over_time"}:
        note = f"{found.over}: in a window a level counts by its largest sample"
        found = replace(found, notes=(*found.notes, note))
    return Simple(found, op, value)


def constant(node: Node) -> float | None:
    """The number that an expression without series is; None for any other."""
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Call) and node.name in {"scalar", "vector"} and len(node.arguments) == 1:
        return constant(node.arguments[0])
    if isinstance(node, Binary):
        left, right = constant(node.left), constant(node.right)
        if left is None or right is None:
            return None
        try:
            return (
                {"+": left + right, "-": left - right, "*": left * right}.get(node.op)
                if node.op != "/"
                else left / right
            )
        except ZeroDivisionError:
            return None
    return None


def indicator_of(node: Node) -> Indicator:
    """The indicator that an expression without comparison is. Raises UntranslatableError."""
    if isinstance(node, Binary):
        return _computed(node)
    if isinstance(node, Series):
        return series_of(node) if node.range_s is None else _refuse("a range of samples is not a value")
    if isinstance(node, Call):
        return _called(node)
    return _refuse("it holds no series")


def _refuse(why: str) -> Indicator:
    raise UntranslatableError(why)


def _computed(node: Binary) -> Indicator:
    """Of an expression with arithmetic."""
    left, right = constant(node.left), constant(node.right)
    if right is not None and right and node.op in {"*", "/"}:
        by = right if node.op == "*" else 1 / right
        found = indicator_of(node.left)
        return replace(found, scale=found.scale * by, offset=found.offset * by)
    if left is not None and node.op == "*":
        return _computed(Binary("*", node.right, node.left))
    if right is not None and node.op in {"+", "-"}:
        found = indicator_of(node.left)
        return replace(found, offset=found.offset + (right if node.op == "+" else -right))
    if left is not None and node.op in {"+", "-"}:
        found, sign = indicator_of(node.right), 1 if node.op == "+" else -1
        return replace(found, scale=sign * found.scale, offset=left + sign * found.offset)
    if node.op == "/":
        return _quotient(node)
    return _refuse("arithmetic of several series has no counterpart")


def _counter(node: Node) -> tuple[Series, str] | None:
    """The counter whose increase an expression is, and the function that takes it; None if it is not one."""
    while isinstance(node, Call) and node.name in _UNWRAPPED and node.arguments:
        node = node.arguments[0]
    if isinstance(node, Call) and node.name in _RATES and len(node.arguments) == 1:
        inner = node.arguments[0]
        return (inner, node.name) if isinstance(inner, Series) and inner.range_s else None
    return None


def _counters(node: Node) -> list[tuple[Series, str]]:
    """The counters that an expression adds up, and the functions that take their increase."""
    while isinstance(node, Call) and node.name in _UNWRAPPED and node.arguments and not _counter(node):
        node = node.arguments[0]
    if isinstance(node, Binary) and node.op == "+":
        return [*_counters(node.left), *_counters(node.right)]
    found = _counter(node)
    return [found] if found else []


def _quotient(node: Binary) -> Indicator:
    if isinstance(left := node.left, Binary) and left.op == "*":
        for number, rest in ((left.left, left.right), (left.right, left.left)):
            if constant(number) is not None:
                return _computed(Binary("*", Binary("/", rest, node.right), number))
    above, below = _counters(node.left), _counters(node.right)
    if not above or not below:
        return _refuse("a quotient of levels has no counterpart")
    if len({how == "increase" for _, how in (*above, *below)}) > 1:
        return _refuse("its two parts are taken by different functions, increase and rate")
    windows = {each.range_s for each, _ in (*above, *below)}
    if len(windows) > 1:
        return _refuse("its two parts are over different windows")
    window_s, first, total = windows.pop(), above[0][0], below[0][0]
    if first.name.endswith("_sum") and total.name.endswith("_count"):
        return replace(scale_of(first, "mean"), window_s=window_s)
    limit = next((value for label, _, value in first.matchers if label == "le"), None)
    if first.name.endswith("_bucket") and limit is not None:
        return _share_below(first, limit, window_s)
    return _outcomes([each for each, _ in above], [each for each, _ in below], window_s)


def _outcomes(above: list[Series], below: list[Series], window_s: float | None) -> Indicator:
    """Of a share of failures or successes, or of failures to successes."""
    outcomes, whole = {outcome_of(each) for each in above}, {outcome_of(each) for each in below}
    taken = f"{', '.join(dict.fromkeys(each.name for each in above))}: taken for tasks by how they end"
    notes = (*dict.fromkeys(note for each in (*above, *below) for note in left_out(each, by_outcome=True)), taken)
    if outcomes == {Outcome.FAILURE} and whole == {Outcome.SUCCESS}:
        return Indicator("success_rate", window_s, odds=True, notes=notes)
    if outcomes == {Outcome.FAILURE}:
        return Indicator("success_rate", window_s, scale=-1.0, offset=1.0, notes=notes)
    if outcomes == {Outcome.SUCCESS}:
        return Indicator("success_rate", window_s, notes=notes)
    return _refuse("it is not clear from names and labels that its upper part counts failures or successes")


def _share_below(bucket: Series, limit: str, window_s: float | None) -> Indicator:
    """Of a bucket of a histogram over all of its observations."""
    try:
        le = float(limit)
    except ValueError:
        return _refuse(f"le={limit} is not a number")
    return replace(share_below(bucket, le), window_s=window_s)


def _called(node: Call) -> Indicator:
    found = _counter(node)
    if found:
        return _counted(*found)
    if node.name == "histogram_quantile" and len(node.arguments) == 2:
        return _quantile(node)
    if node.name in _OVER_TIME and isinstance(inner := node.arguments[0], Series):
        level = series_of(replace(inner, range_s=None))
        return replace(level, window_s=inner.range_s, over=node.name)
    if node.name in _UNWRAPPED or node.name == "min":
        inner_found = indicator_of(node.arguments[0])
        note = f"by {', '.join(node.by)}: all are taken together"
        return replace(inner_found, notes=(*inner_found.notes, note)) if node.by else inner_found
    return _refuse(f"{node.name}() has no counterpart")


def _quantile(node: Call) -> Indicator:
    q, inner = constant(node.arguments[0]), _counters(node.arguments[1])
    if q is None or not 0 < q < 1 or len(inner) != 1:
        return _refuse("histogram_quantile needs a share and the rate of one histogram")
    histogram = inner[0][0]
    return replace(scale_of(histogram, f"p{float(f'{q * 100:.10g}'):g}"), window_s=histogram.range_s)


def _counted(series: Series, how: str) -> Indicator:
    """Of the increase of a counter: how many events there were in a window."""
    outcome, window_s = outcome_of(series), series.range_s
    assert window_s
    per_window = 1.0 if how == "increase" else 1.0 / window_s
    if is_dead_letter(series):
        return Indicator("dead_lettered", window_s, scale=per_window, notes=(*left_out(series), DEAD_LETTERS))
    own = {
        Outcome.FAILURE: ("failed_tasks", "task.failed"),
        Outcome.RETRY: ("retries", "task.retry"),
        Outcome.SUCCESS: ("finished_tasks", "task.done"),
    }.get(outcome)
    if own:
        note = f"{series.name}: taken for {own[0]}"
        return Indicator(own[0], window_s, scale=per_window, own={"count": own[1]}, notes=(*left_out(series), note))
    if not counts_work(series):
        return _refuse(f"no indicator is known for the counter {series.name}")
    notes = (*left_out(series), f"{series.name}: taken for tasks that end")
    return Indicator("throughput", window_s, scale=window_s if how == "increase" else 1.0, notes=notes)
