"""k6: thresholds and scenarios, from its options as JSON. https://grafana.com/docs/k6/latest/using-k6/thresholds/"""

import re
from typing import Any

from soak.runner.importing.foreign import Place
from soak.runner.importing.k6_load import offer_load, seconds_in
from soak.runner.importing.part import Builder
from soak.runner.importing.values import target_text
from soak.schemas.errors import Mark
from soak.schemas.language.expression import Op, Unit
from soak.simulation.rate import rate_of

FORMAT = "k6 options"
_THRESHOLD = re.compile(
    r"\s*(?P<how>p\((?P<p>[0-9]+(?:\.[0-9]+)?)\)|avg|med|max|min|rate|count|value)\s*(?P<op>===|==|!=|<=|>=|<|>)\s*(?P<value>-?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*"
)
_METRIC = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:\{(?P<tags>.*)\})?")
_DURATIONS = frozenset(
    {"http_req_duration", "iteration_duration", "http_req_waiting", "grpc_req_duration", "ws_session_duration"}
)
_VALUE = re.compile(r"[A-Za-z0-9_.-]+")
_SAMPLES, _MOST_SAMPLES = 20, 10**9
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
        offer_load(options, builder)
        taken = next((name for name, _ in options.get("scenarios").entries()), "")
        for metric, place in options.get("thresholds").entries():
            for threshold in list(place.items()) or [place]:
                _threshold(metric, threshold, taken, builder)


def _threshold(metric: str, place: Place, scenario: str, builder: Builder) -> None:
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
    target = target_text(unit, value)
    if (named["tags"] or "").strip() and named["tags"].replace(" ", "") != f"scenario:{scenario}":
        _selected(named["tags"], said, place.mark, "" if own else sli, f"{op.value} {target}", builder)
        return
    part: dict[str, Any] = {"slis": {sli: {"count": own}}} if own else {}
    part["slos"] = [f"{sli} {op.value} {target}"]
    if builder.offer(expression.mark, said, part) and place.get("abortOnFail").text == "true":
        condition = {
            "name": builder.name(f"{named['name']}-{found['p'] or found['how']}", "abort"),
            "when": f"{sli} {_OPPOSITE[op].value} {target}",
        }
        _abort(condition, f"{said}, abortOnFail", place, bool(own), builder)


def _selected(tags: str, said: str, mark: Mark, sli: str, compared: str, builder: Builder) -> None:
    """List a threshold of some requests only, with what to write where they are a kind or a tenant."""
    key, _, value = (each.strip() for each in tags.partition(":"))
    remedy = "it is left out"
    if key == "scenario":
        why = "its load is not taken: a scenario has one load"
    else:
        why = f"it is of requests with {tags.strip()} only, and not of all tasks"
        if sli and _VALUE.fullmatch(value):
            label = "tenant" if key == "tenant" else "kind"
            remedy += f"; where workload.{label}s has {value}, add: {sli}{{{label}={value}}} {compared}"
    builder.refuse(mark, said, why, remedy)


def _abort(condition: dict[str, Any], said: str, place: Place, counted: bool, builder: Builder) -> None:
    """Offer an abort condition; `delayAbortEval` is the number of tasks that arrive in it."""
    late = place.get("delayAbortEval")
    late_s = seconds_in(place, "delayAbortEval", builder) if late.text else 0.0
    if late_s is None:
        return
    if not late_s:
        builder.offer(place.mark, said, {"abort": [condition]})
        return
    if counted:
        why = f"a count has no least number of samples that would stand for delayAbortEval {late.text}"
        builder.refuse(place.mark, said, why, "the abort condition is left out, the objective is not")
        return
    least, note = _least(late_s, builder)
    said_of_it = f"delayAbortEval {late.text} is `min_samples: {least}`: {note}"
    builder.offer(place.mark, said, {"abort": [{**condition, "min_samples": least}]}, notes=[said_of_it])


def _least(late_s: float, builder: Builder) -> tuple[int, str]:
    """How many tasks have to end before it is judged, and why as many."""
    if "arrivals" in builder.part.get("workload", {}):
        arriving = round(rate_of(builder.workload()).expected(late_s))
        if 1 <= arriving <= _MOST_SAMPLES:
            return arriving, "as many tasks as arrive in that time"
    return _SAMPLES, "how many tasks end in that time is not known from the file"


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
