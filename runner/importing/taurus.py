"""Taurus: pass/fail criteria and the load of its execution. https://gettaurus.org/docs/PassFail/ and …/ExecutionSettings/"""

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from soak.runner.importing.foreign import Place
from soak.runner.importing.part import Builder
from soak.runner.importing.taurus_load import offer_load
from soak.runner.importing.values import duration_text, seconds_of, target_text
from soak.schemas.errors import Mark
from soak.schemas.language.expression import Op, Unit

FORMAT = "Taurus configuration"
_CRITERION = re.compile(
    r"(?P<subject>[A-Za-z0-9.?*_/-]+?)(?:\s+(?:of|for)\s+(?P<label>.+?))?\s*(?P<op>==|<=|>=|[<>=])\s*(?P<threshold>[0-9][^\s,]*)"
    r"(?P<frames>(?:\s+(?:for|within|over)\s+[^\s,]+)*)\s*(?:,\s*(?P<action>stop|continue)?(?:\s*as\s+(?P<status>failed|non-failed))?)?\s*"
)
_FRAME = re.compile(r"(for|within|over)\s+([^\s,]+)")
_REMEDY = "write it like p95>250ms for 10s, stop as failed"
_OPPOSITE = {Op.LE: Op.GT, Op.GE: Op.LT, Op.LT: Op.GE, Op.GT: Op.LE, Op.EQ: Op.NE}


class Criterion(Struct, frozen=True):
    """A pass/fail criterion: when it holds, the test stops or goes on, and has failed or not."""

    said: str
    mark: Mark
    message: str
    subject: str
    label: str
    op: Op
    threshold: str
    for_s: float | None
    window_s: float | None
    stop: bool
    failed: bool


def is_taurus(place: Place) -> bool:
    """Whether a document is a configuration of Taurus."""
    return place.get("execution").data is not None or any(_modules(place))


def translate(documents: list[Place], builder: Builder) -> None:
    """Offer objectives and conditions for the criteria, and arrivals or users for the execution."""
    for document in documents:
        for module in _modules(document):
            for criterion in _criteria(module.get("criteria"), builder):
                _offer(criterion, builder)
        offer_load(document, builder)


def _modules(document: Place) -> Iterator[Place]:
    for section in ("reporting", "services"):
        for module in document.get(section).items():
            if module.get("module").text in {"passfail", "pass-fail"} or module.get("criteria").data is not None:
                yield module


def _criteria(place: Place, builder: Builder) -> Iterator[Criterion]:
    named = [(message, each) for message, each in place.entries()]
    for message, each in named or [("", each) for each in place.items()]:
        found = _full(each, builder) if isinstance(each.data, dict) else _short(each, message, builder)
        if found:
            yield found


def _short(place: Place, message: str, builder: Builder) -> Criterion | None:
    text = place.text
    head, colon, rest = text.partition(": ")
    if colon and not message and not re.search(r"[<>=]", head):
        message, text = head, rest
    found = _CRITERION.fullmatch(text.strip())
    if not found:
        builder.error(place.mark, f"{place.text!r} is not a pass/fail criterion", _REMEDY)
        return None
    frames: dict[str, float] = {}
    for word, span in _FRAME.findall(found["frames"]):
        seconds = seconds_of(span)
        if seconds is None:
            builder.error(place.mark, f"{span!r} is not a duration", "write one such as 10s")
            return None
        frames["window" if word in {"over", "within"} else "for"] = seconds
    return Criterion(
        place.text,
        place.mark,
        message,
        found["subject"].lower(),
        found["label"] or "",
        Op("==" if found["op"] == "=" else found["op"]),
        found["threshold"],
        frames.get("for"),
        frames.get("window"),
        found["action"] != "continue",
        found["status"] != "non-failed",
    )


def _full(place: Place, builder: Builder) -> Criterion | None:
    """A criterion as a mapping."""
    if place.get("class").data is not None:
        builder.refuse(place.mark, place.get("subject").text, "monitoring of servers has no counterpart in a run")
        return None
    condition, frame = place.get("condition").text or ">", place.get("timeframe")
    seconds = seconds_of(frame.data if isinstance(frame.data, int | float) else frame.text) if frame.text else None
    if (
        condition not in {">", "<", ">=", "<=", "=", "=="}
        or not place.get("subject").text
        or (frame.text and seconds is None)
    ):
        builder.error(
            place.mark, "is not a pass/fail criterion", "it needs a subject, a condition such as '>', and a threshold"
        )
        return None
    aggregated = place.get("logic").text in {"within", "over"}
    subject, label = place.get("subject").text, place.get("label").text
    return Criterion(
        f"{subject}{f' of {label}' if label else ''}{condition}{place.get('threshold').text}",
        place.mark,
        place.get("message").text,
        subject.lower(),
        label,
        Op("==" if condition == "=" else condition),
        place.get("threshold").text,
        None if aggregated else seconds,
        seconds if aggregated else None,
        place.get("stop").text != "false",
        place.get("fail").text != "false",
    )


def _offer(criterion: Criterion, builder: Builder) -> None:
    if not criterion.failed:
        why = "it stops a test without failing it; a run that is stopped is ABORTED"
        builder.refuse(criterion.mark, criterion.said, why, "see --stop-when-decided")
        return
    found = _indicator(criterion, builder)
    if not found:
        return
    sli, unit, value, own, flipped = found
    op = _OPPOSITE[criterion.op] if flipped and criterion.op is not Op.EQ else criterion.op
    if flipped:
        op = {Op.LE: Op.GE, Op.GE: Op.LE, Op.LT: Op.GT, Op.GT: Op.LT}.get(criterion.op, criterion.op)
    selectors = [f"{{kind={criterion.label}}}", ""] if re.fullmatch(r"[A-Za-z0-9_.-]+", criterion.label) else [""]
    notes = []
    if criterion.label:
        notes.append(
            f"the label {criterion.label} is left out: all tasks are taken together unless it is one of workload.kinds"
        )
    parts = [_part(criterion, f"{sli}{selector}", op, target_text(unit, value), own, builder) for selector in selectors]
    builder.offer(criterion.mark, criterion.said, *parts, notes=notes)


def _part(criterion: Criterion, sli: str, op: Op, target: str, own: str, builder: Builder) -> dict[str, Any]:
    part: dict[str, Any] = {"slis": {sli.partition("{")[0]: {"count": own}}} if own else {}
    if criterion.for_s is None and criterion.window_s is None:
        part["slos"] = [f"{sli} {_OPPOSITE.get(op, Op.NE).value} {target}"]
        return part
    window_s = criterion.window_s or 1.0
    condition = {
        "name": builder.name(criterion.message or f"{criterion.subject}-{criterion.label}", "abort"),
        "when": f"{sli} {op.value} {target}",
        "window": duration_text(window_s),
        **({"for": duration_text(criterion.for_s)} if criterion.for_s else {}),
        **({} if criterion.stop else {"then": "fail"}),
    }
    part["abort"] = [condition]
    return part


def _indicator(criterion: Criterion, builder: Builder) -> tuple[str, Unit, float, str, bool] | None:
    """Indicator, unit, value in base units, the events that it counts if it has to be defined, and whether it is turned round."""
    subject, said, mark = criterion.subject, criterion.said, criterion.mark
    if found := re.fullmatch(r"p([0-9]{1,2}(?:\.[0-9]+)?)", subject):
        return _time(criterion, f"latency_p{float(found[1]):g}", builder)
    if subject in {"avg-rt", "rt"}:
        return _time(criterion, "latency_mean", builder)
    if subject in {"succ", "success", "fail", "failures"} or re.fullmatch(
        r"rc(5\?\?|5\*|\*|5xx|[45][0-9?*]{2}|[a-z]+)", subject
    ):
        return _outcomes(criterion, builder)
    if subject == "hits":
        span_s = criterion.window_s or 1.0
        if criterion.for_s is None and criterion.window_s is None:
            value = _number(criterion, builder)
            return None if value is None else ("finished_tasks", Unit.COUNT, value, "task.done", False)
        value = _number(criterion, builder)
        return None if value is None else ("throughput", Unit.RATE, value / span_s, "", False)
    if subject in {"avg-lt", "avg-ct", "stdev-rt", "bytes"}:
        builder.refuse(mark, said, f"there is no indicator like {subject}")
        return None
    builder.error(mark, f"unknown subject {subject!r}", "write one of: avg-rt, p95, hits, succ, fail, rc5??")
    return None


def _time(criterion: Criterion, sli: str, builder: Builder) -> tuple[str, Unit, float, str, bool] | None:
    seconds = seconds_of(criterion.threshold)
    if seconds is None:
        builder.error(criterion.mark, f"{criterion.threshold!r} is not a duration", "write one such as 250ms")
        return None
    return sli, Unit.DURATION, seconds, "", False


def _outcomes(criterion: Criterion, builder: Builder) -> tuple[str, Unit, float, str, bool] | None:
    good = criterion.subject in {"succ", "success"}
    if criterion.subject.startswith("rc") and not criterion.subject.startswith("rc5"):
        builder.refuse(
            criterion.mark, criterion.said, "tasks have no response codes; an own SLI can count events by error"
        )
        return None
    if criterion.subject.startswith("rc"):
        builder.note(criterion.mark, criterion.said, "response codes 5xx are taken for failed tasks")
    if criterion.threshold.endswith("%"):
        value = _number(criterion, builder)
        if value is None:
            return None
        share = float(f"{value / 100:.12g}")
        return "success_rate", Unit.RATIO, share if good else float(f"{1 - share:.12g}"), "", not good
    value = _number(criterion, builder)
    if value is None:
        return None
    return (
        ("finished_tasks", Unit.COUNT, value, "task.done", False)
        if good
        else ("failed_tasks", Unit.COUNT, value, "task.failed", False)
    )


def _number(criterion: Criterion, builder: Builder) -> float | None:
    try:
        return float(criterion.threshold.removesuffix("%"))
    except ValueError:
        builder.error(criterion.mark, f"{criterion.threshold!r} is not a number", "write one such as 50, or 50%")
        return None
