"""OpenSLO v1: objectives, indicators and alert policies. https://github.com/OpenSLO/OpenSLO"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from soak.runner.importing.foreign import Place
from soak.runner.importing.meaning import Indicator, UntranslatableError, indicator_of, now
from soak.runner.importing.metrics import left_out
from soak.runner.importing.part import Builder
from soak.runner.importing.prometheus import own_slis, unit_of
from soak.runner.importing.promql import PromqlError, Series, parse_promql, series_in
from soak.runner.importing.values import duration_text, seconds_of, target_text
from soak.schemas.language.expression import Op, Unit

FORMAT = "OpenSLO documents"
_OPS = {"lte": Op.LE, "gte": Op.GE, "lt": Op.LT, "gt": Op.GT}
_LONGER_S = {"M": 30 * 86_400.0, "Q": 91 * 86_400.0, "Y": 365 * 86_400.0}
_RATIO = Indicator("success_rate")


class _Documents(Struct, frozen=True):
    """The objects of all documents, by kind and name."""

    found: Mapping[tuple[str, str], Place]

    def referred(self, holder: Place, key: str, kind: str, builder: Builder) -> Place | None:
        """The object that `holder` names under `<key>Ref`, else the one that it holds itself under `key`."""
        name = holder.get(f"{key}Ref").text
        if not name:
            return holder.get(key) if key else holder
        if (kind, name) in self.found:
            return self.found[kind, name]
        builder.refuse(holder.get(f"{key}Ref").mark, name, f"there is no {kind} of this name in the file")
        return None


def is_openslo(place: Place) -> bool:
    """Whether a document is one of OpenSLO."""
    return place.get("apiVersion").text.startswith("openslo")


def translate(documents: list[Place], builder: Builder) -> None:
    """Offer an objective for each SLO, and alerts for its policies."""
    known = _Documents({(each.get("kind").text, each.get("metadata", "name").text): each for each in documents})
    for each in documents:
        if each.get("apiVersion").text not in {"openslo/v1", "openslo/v1alpha"}:
            builder.error(
                each.get("apiVersion").mark, f"{each.get('apiVersion').text!r} is not openslo/v1", "bring it up to v1"
            )
        elif each.get("kind").text == "SLO":
            _slo(each, known, builder)


def _slo(document: Place, known: _Documents, builder: Builder) -> None:
    spec, name = document.get("spec"), document.get("metadata", "name").text or "SLO"
    holder = known.referred(spec, "indicator", "SLI", builder)
    if holder is None:
        return
    try:
        indicator = _indicator(holder.get("spec"), builder)
    except UntranslatableError as error:
        builder.refuse(spec.mark, name, str(error))
        return
    window = next(spec.get("timeWindow").items(), None)
    if window and window.get("duration").text:
        said = f"its time window of {window.get('duration').text} is left out: the objective is one of the whole run"
        builder.note(window.mark, name, said)
    for objective in spec.get("objectives").items():
        target = _target(objective, builder)
        if target is not None:
            _objective(objective, spec, name, indicator, target, builder)
    _policies(spec, name, known, indicator, builder)


def _indicator(spec: Place, builder: Builder) -> Indicator:
    """Raises UntranslatableError."""
    ratio, threshold = spec.get("ratioMetric"), spec.get("thresholdMetric")
    if ratio.data is not None:
        return _ratio(ratio)
    if threshold.data is None:
        builder.error(spec.mark, "needs ratioMetric or thresholdMetric", "say what is measured")
        raise UntranslatableError("it says nothing that is measured")
    query = threshold.get("metricSource", "spec", "query")
    if not query.text:
        raise UntranslatableError("its metric has no query in PromQL, so that it is not clear what is measured")
    try:
        node = parse_promql(query.text)
        now(node)
        return indicator_of(node)
    except PromqlError as error:
        builder.error(query.mark, f"query is not PromQL: {error}", "correct it")
        raise UntranslatableError("its query cannot be read") from None


def _ratio(ratio: Place) -> Indicator:
    """What a ratio of events is: of fast ones if its queries count a bucket of durations, else of successful ones."""
    good, total = (ratio.get(key, "metricSource", "spec", "query").text for key in ("good", "total"))
    bad = ratio.get("bad", "metricSource", "spec", "query").text
    series = [each for query in (good, bad, total) for each in _series(query)]
    if good and total:
        try:
            found = indicator_of(parse_promql(f"({good}) / ({total})"))
        except (PromqlError, UntranslatableError):
            found = _RATIO
        if "_share_below" in found.sli:
            return found
    return replace(
        _RATIO, notes=tuple(dict.fromkeys(note for each in series for note in left_out(each, by_outcome=True)))
    )


def _series(query: str) -> list[Series]:
    """The series in a query; none of one that is not PromQL. Raises UntranslatableError for one of another time."""
    try:
        node = parse_promql(query)
    except PromqlError:
        return []
    now(node)
    return [*series_in(node)]


def _target(objective: Place, builder: Builder) -> float | None:
    for key, most in (("target", 1.0), ("targetPercent", 100.0)):
        data = objective.get(key).data
        if data is None:
            continue
        if isinstance(data, int | float) and not isinstance(data, bool) and 0 <= data <= most:
            return float(f"{data / most:.12g}")
        builder.error(
            objective.get(key).mark, f"{key}: {objective.get(key).text!r} is not from 0 to {most:g}", "write a number"
        )
        return None
    builder.error(objective.mark, "an objective needs target or targetPercent", "add target: 0.99")
    return None


def _objective(objective: Place, spec: Place, name: str, indicator: Indicator, target: float, builder: Builder) -> None:
    said = objective.get("displayName").text or name
    note = {"note": f"OpenSLO: {said}"}
    slices = spec.get("budgetingMethod").text.lower() == "timeslices"
    if spec.get("budgetingMethod").text.lower() == "ratiotimeslices":
        builder.note(spec.get("budgetingMethod").mark, name, "every task counts alike, not every time slice")
    if objective.get("value").data is not None or unit_of(indicator.sli, builder.system) is not Unit.RATIO:
        _threshold(objective, said, indicator, target, slices, builder)
        return
    if not slices:
        text = f"{indicator.sli} >= {target_text(Unit.RATIO, target)}"
        part = {"slos": [{"objective": text, **note}], **own_slis([indicator], builder.system)}
        builder.offer(objective.mark, said, part, notes=indicator.notes)
        return
    within = objective.get("timeSliceTarget").data
    text = f"{indicator.sli} >= {target_text(Unit.RATIO, float(within) if isinstance(within, int | float) else target)}"
    _sliced(objective, said, text, target, indicator, builder)


def _threshold(
    objective: Place, said: str, indicator: Indicator, target: float, slices: bool, builder: Builder
) -> None:
    """Of a measured value, that is good enough for a share of the time."""
    op, value = _OPS.get(objective.get("op").text), objective.get("value").data
    if op is None or not isinstance(value, int | float) or isinstance(value, bool):
        builder.error(objective.mark, "a threshold needs op (lte, gte, lt, gt) and value", "add op: lte and value: 0.5")
        return
    if indicator.scale < 0:
        op = {Op.LE: Op.GE, Op.GE: Op.LE, Op.LT: Op.GT, Op.GT: Op.LT}[op]
    base = float(f"{(value - indicator.offset) / indicator.scale:.12g}")
    unit = unit_of(indicator.sli, builder.system)
    text = f"{indicator.sli} {op.value} {target_text(unit, base)}"
    if not slices:
        note = f"it must hold for the run, not for {target:.6g} of the measurements"
        entry = {"objective": text, "note": f"OpenSLO: {said}"}
        part = {"slos": [entry], **own_slis([indicator], builder.system)}
        builder.offer(objective.mark, said, part, notes=[*indicator.notes, note])
        return
    _sliced(objective, said, text, target, indicator, builder)


def _sliced(objective: Place, said: str, text: str, target: float, indicator: Indicator, builder: Builder) -> None:
    """An objective of a share of time slices."""
    place = objective.get("timeSliceWindow")
    span_s = place.data * 60.0 if isinstance(place.data, int | float) else seconds_of(place.text)
    if not span_s:
        builder.error(objective.mark, "timeslices need timeSliceWindow", "add timeSliceWindow: 5m")
        return
    entry: dict[str, Any] = {"objective": text, "window": duration_text(span_s), "note": f"OpenSLO: {said}"}
    share = {"in": target_text(Unit.RATIO, target)} if target < 1 else {}
    part = {"slos": [{**entry, **share}], **own_slis([indicator], builder.system)}
    builder.offer(objective.mark, said, part, notes=indicator.notes)


def _policies(spec: Place, name: str, known: _Documents, indicator: Indicator, builder: Builder) -> None:
    """Alerts on how fast the error budget burns."""
    targets = [target for each in spec.get("objectives").items() if (target := _target(each, builder)) is not None]
    for holder in spec.get("alertPolicies").items():
        policy = (
            known.referred(holder, "alertPolicy", "AlertPolicy", builder)
            if holder.get("alertPolicyRef").text
            else holder
        )
        if isinstance(holder.data, str):
            policy = known.found.get(("AlertPolicy", holder.text))
        if policy is None:
            continue
        for each in policy.get("spec", "conditions").items():
            condition = (
                known.referred(each, "condition", "AlertCondition", builder) if each.get("conditionRef").text else each
            )
            if condition is not None and targets:
                _burn_rate(condition, name, max(targets), indicator, builder)


def _burn_rate(document: Place, name: str, target: float, indicator: Indicator, builder: Builder) -> None:
    spec = document.get("spec")
    condition, said = spec.get("condition"), document.get("metadata", "name").text or f"{name}-burn-rate"
    times = condition.get("threshold").data
    window_s, after_s = (_span(condition.get(key).text) for key in ("lookbackWindow", "alertAfter"))
    if condition.get("kind").text.lower() != "burnrate" or not isinstance(times, int | float) or not window_s:
        builder.refuse(
            document.mark, said, "only conditions of kind burnrate with threshold and lookbackWindow are known"
        )
        return
    if unit_of(indicator.sli, builder.system) is not Unit.RATIO:
        builder.refuse(document.mark, said, f"{indicator.sli} is not a share of events, so that it has no budget")
        return
    least = float(f"{1 - times * (1 - target):.12g}")
    if least <= 0:
        builder.refuse(
            document.mark, said, f"at {times:g} times the budget of {1 - target:.6g} every task would have failed"
        )
        return
    severity = spec.get("severity").text.lower()
    entry = {
        "name": builder.name(said, "alerts"),
        "when": f"{indicator.sli} {'<' if condition.get('op').text == 'gt' else '<='} {target_text(Unit.RATIO, least)}",
        "window": duration_text(window_s),
        **({"for": duration_text(after_s)} if after_s else {}),
        "severity": {"page": "critical", "critical": "critical", "info": "info"}.get(severity, "warning"),
    }
    part = {"alerts": [entry], **own_slis([indicator], builder.system)}
    builder.offer(document.mark, said, part, notes=indicator.notes)


def _span(text: str) -> float | None:
    """Seconds of a duration of OpenSLO, whose longer units are M, Q and Y."""
    if text[-1:] in _LONGER_S and text[:-1].isdigit():
        return int(text[:-1]) * _LONGER_S[text[-1]]
    return seconds_of(text) if text else None
