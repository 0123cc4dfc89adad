"""k6: thresholds and scenarios, from its options as JSON. https://grafana.com/docs/k6/latest/using-k6/thresholds/"""

import re
from typing import Any

from soak.runner.importing.foreign import Place
from soak.runner.importing.k6_load import offer_load
from soak.runner.importing.part import Builder
from soak.runner.importing.values import target_text
from soak.schemas.language.expression import Op, Unit

FORMAT = "k6 options"
_THRESHOLD = re.compile(
    r"\s*(?P<how>p\((?P<p>[0-9]+(?:\.[0-9]+)?)\)|avg|med|max|min|rate|count|value)\s*(?P<op>===|==|!=|<=|>=|<|>)\s*(?P<value>-?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*"
)
_METRIC = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:\{(?P<tags>.*)\})?")
_DURATIONS = frozenset(
    {"http_req_duration", "iteration_duration", "http_req_waiting", "grpc_req_duration", "ws_session_duration"}
)
_OPPOSITE = {Op.LE: Op.GT, Op.GE: Op.LT, Op.LT: Op.GE, Op.GT: Op.LE, Op.EQ: Op.NE, Op.NE: Op.EQ}


def is_k6(place: Place) -> bool:
    """Whether a document holds options of k6."""
    options = _options(place)
    thresholds, scenarios = options.get("thresholds").data, options.get("scenarios").data
    return (
        isinstance(thresholds, dict)
        or (
            isinstance(scenarios, dict)
            and any(each.get("executor").text for _, each in options.get("scenarios").entries())
        )
        or isinstance(options.get("stages").data, list)
        or any(isinstance(options.get(key).data, int) for key in ("vus", "iterations"))
    )


def _options(place: Place) -> Place:
    return place.get("options") if isinstance(place.get("options").data, dict) else place


def translate(documents: list[Place], builder: Builder) -> None:
    """Offer objectives and abort conditions for the thresholds, and arrivals or users for the scenarios."""
    for document in documents:
        options = _options(document)
        for metric, place in options.get("thresholds").entries():
            for threshold in list(place.items()) or [place]:
                _threshold(metric, threshold, builder)
        offer_load(options, builder)


def _threshold(metric: str, place: Place, builder: Builder) -> None:
    expression = place.get("threshold") if isinstance(place.data, dict) else place
    found, named = _THRESHOLD.fullmatch(expression.text), _METRIC.fullmatch(metric)
    if not found or not named:
        what = f"{metric}: {expression.text!r} is not a threshold"
        builder.error(expression.mark, what, "write one such as p(95)<500 or rate<0.01")
        return
    said, op = f"{metric} {expression.text}", Op(found["op"][:2] if found["op"] != "===" else "==")
    meaning = _meaning(named["name"], found, said, place, builder)
    if meaning is None:
        return
    sli, unit, value, flipped, own = meaning
    if flipped:
        op = {Op.LE: Op.GE, Op.GE: Op.LE, Op.LT: Op.GT, Op.GT: Op.LT}.get(op, op)
    notes = [f"the tags {named['tags']} are left out: all tasks are taken together"] if named["tags"] else []
    part: dict[str, Any] = {"slis": {sli: {"count": own}}} if own else {}
    part["slos"] = [f"{sli} {op.value} {target_text(unit, value)}"]
    taken = builder.offer(expression.mark, said, part, notes=notes)
    if taken and place.get("abortOnFail").text == "true":
        condition = {
            "name": builder.name(f"{named['name']}-{found['p'] or found['how']}", "abort"),
            "when": f"{sli} {_OPPOSITE[op].value} {target_text(unit, value)}",
        }
        late = place.get("delayAbortEval").text
        builder.offer(place.mark, f"{said}, abortOnFail", {"abort": [condition]})
        if late:
            builder.note(
                place.mark, said, f"delayAbortEval {late} is left out: min_samples says when there is enough to judge"
            )


_Meaning = tuple[str, Unit, float, bool, str]


def _meaning(metric: str, found: "re.Match[str]", said: str, place: Place, builder: Builder) -> _Meaning | None:
    """Indicator, unit, value in base units, whether it is turned round, and the events that it counts if it is to be defined."""
    how, value = found["how"], float(found["value"])
    if metric in _DURATIONS:
        suffix = {"avg": "mean", "med": "p50", "max": "max"}.get(how, f"p{float(found['p']):g}" if found["p"] else "")
        if suffix:
            return f"latency_{suffix}", Unit.DURATION, value / 1000, False, ""
    if how == "rate" and metric in {"http_req_failed", "checks", "grpc_req_failed"}:
        failed = metric != "checks"
        return "success_rate", Unit.RATIO, float(f"{1 - value:.12g}") if failed else value, failed, ""
    if metric in {"http_reqs", "iterations"} and how == "rate":
        return "throughput", Unit.RATE, value, False, ""
    if metric in {"http_reqs", "iterations"} and how == "count":
        return "finished_tasks", Unit.COUNT, value, False, "task.done"
    builder.refuse(place.mark, said, f"{how} of {metric} has no counterpart")
    return None
