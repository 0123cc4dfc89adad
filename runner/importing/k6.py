"""k6: thresholds and scenarios, from its options as JSON. https://grafana.com/docs/k6/latest/using-k6/thresholds/"""

import re
from collections.abc import Iterator
from typing import Any

from soak.runner.importing.foreign import Place
from soak.runner.importing.load import NO_THINK_TIME, Stage, arrivals_of, users_in_stages, users_of
from soak.runner.importing.part import Builder
from soak.runner.importing.values import seconds_of, target_text
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
        or isinstance(options.get("vus").data, int)
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
        _load(options, builder)


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


def _load(options: Place, builder: Builder) -> None:
    """The load of the first scenario, or of the options at the top."""
    scenarios = list(options.get("scenarios").entries())
    if not scenarios and any(options.get(key).data is not None for key in ("stages", "vus", "iterations")):
        executor = "ramping-vus" if options.get("stages").data is not None else "constant-vus"
        _scenario("options", options, executor, builder)
    for number, (name, place) in enumerate(scenarios):
        if number:
            builder.refuse(place.mark, name, "a scenario has one load; the first one is taken")
        else:
            _scenario(name, place, place.get("executor").text, builder)


def _scenario(name: str, place: Place, executor: str, builder: Builder) -> None:
    if executor == "constant-arrival-rate":
        duration_s, rate = _seconds(place.get("duration"), builder), _rate(place, place.get("rate"))
        if duration_s and rate:
            builder.offer(place.mark, f"{name} ({executor})", arrivals_of([Stage(rate, 0.0), Stage(rate, duration_s)]))
        return
    if executor == "ramping-arrival-rate":
        start = _rate(place, place.get("startRate"))
        stages = [Stage(_rate(place, each.get("target")), for_s) for each, for_s in _stages(place, builder)]
        builder.offer(place.mark, f"{name} ({executor})", arrivals_of(stages, start))
        return
    if executor == "constant-vus" and place.get("duration").data is not None:
        if duration_s := _seconds(place.get("duration"), builder):
            part = users_of(_whole(place.get("vus"), 1), duration_s, 0.0, 0.0)
            builder.offer(place.mark, f"{name} ({executor})", part, notes=[NO_THINK_TIME])
        return
    if executor == "ramping-vus":
        _ramping_users(name, place, builder)
        return
    builder.refuse(
        place.mark,
        f"{name} ({executor})",
        "a number of iterations, or an executor without a duration, has no counterpart",
    )


def _ramping_users(name: str, place: Place, builder: Builder) -> None:
    stages = [(_whole(each.get("target"), 0), for_s) for each, for_s in _stages(place, builder)]
    if stages:
        part = users_in_stages(stages, _whole(place.get("startVUs"), 1))
        builder.offer(place.mark, f"{name} (ramping-vus)", part, notes=[NO_THINK_TIME])


def _stages(place: Place, builder: Builder) -> Iterator[tuple[Place, float]]:
    for each in place.get("stages").items():
        seconds = _seconds(each.get("duration"), builder)
        if seconds is not None:
            yield each, seconds


def _rate(place: Place, number: Place) -> float:
    """Per second: a number of iterations per `timeUnit`."""
    per_s = seconds_of(place.get("timeUnit").text) if place.get("timeUnit").text else 1.0
    value = number.data if isinstance(number.data, int | float) and not isinstance(number.data, bool) else 0.0
    return value / (per_s or 1.0)


def _whole(place: Place, default: int) -> int:
    return place.data if isinstance(place.data, int) and not isinstance(place.data, bool) else default


def _seconds(place: Place, builder: Builder) -> float | None:
    seconds = seconds_of(place.text)
    if seconds is None or not place.text:
        builder.error(place.mark, f"{place.text!r} is not a duration", "write one such as 5m")
        return None
    return seconds
