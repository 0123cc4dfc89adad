"""PromQL: what is parsed, what is refused and where, and what expressions mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.runner.importing.meaning import Several, Simple, UntranslatableError, condition_of
from soak.runner.importing.promql import Binary, Call, Node, Number, PromqlError, Series, parse_promql
from soak.schemas.language.expression import Op


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("1", Number(1.0)),
        ("-0x1F", Number(-31.0)),
        ("1e3 # comment", Number(1000.0)),
        ("up", Series("up")),
        ('m{a="b", c!~"d|e",}', Series("m", (("a", "=", "b"), ("c", "!~", "d|e")))),
        ("m{a='it\\'s'}[1h30m] offset -5m", Series("m", (("a", "=", "it\\'s"),), 5400.0, True)),
        ("rate(m[5m])", Call("rate", (Series("m", (), 300.0),))),
        ("sum by (a, b) (m)", Call("sum", (Series("m"),), ("a", "b"))),
        ("sum(m) without (a)", Call("sum", (Series("m"),), ("a",))),
        ("a + b * c", Binary("+", Series("a"), Binary("*", Series("b"), Series("c")))),
        ("a - b - c", Binary("-", Binary("-", Series("a"), Series("b")), Series("c"))),
        ("2 ^ 3 ^ 2", Binary("^", Number(2), Binary("^", Number(3), Number(2)))),
        ("a > 1 and b or c", Binary("or", Binary("and", Binary(">", Series("a"), Number(1)), Series("b")), Series("c"))),
        ("a > bool on (x) group_left (y) b", Binary(">", Series("a"), Series("b"))),
        ("-a", Binary("*", Number(-1.0), Series("a"))),
        ("f(rate(m[1m])[1h:5m])", Call("f", (Call("subquery", (Call("rate", (Series("m", (), 60.0),)), Number(3600.0))),))),
        ('{__name__="x"}', Series("", (("__name__", "=", "x"),))),
    ],
)  # fmt: skip
def test_an_expression_is_parsed(text: str, node: Node) -> None:
    assert parse_promql(text) == node


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("", 1), ("a >", 4), ("sum(a", 6), ("a b", 3), ("m{a}", 4), ("m{a=b}", 5), ("m[x]", 3), ("m[5m", 5), ("a ? b", 3),
        ("(a", 3),
        ("(" * 100 + "a" + ")" * 100, 61),
    ],
)  # fmt: skip
def test_what_is_not_promql_is_refused_with_its_place(text: str, at: int) -> None:
    with pytest.raises(PromqlError) as caught:
        parse_promql(text)
    assert str(caught.value).endswith(f"at character {at}")


@given(st.text(max_size=40) | st.text("ab(){}[]=<>!~+-*/,'\" 15m", max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parse_promql(text)
    except PromqlError as error:
        assert " at character " in str(error)


ERRORS = 'sum(rate(t_total{status=~"5.."}[5m])) / sum(rate(t_total[5m]))'


@pytest.mark.parametrize(
    ("text", "sli", "op", "value", "window_s"),
    [
        (f"{ERRORS} > 0.05", "success_rate", Op.LT, 0.95, 300),
        (f"100 * {ERRORS} >= 5", "success_rate", Op.LE, 0.95, 300),
        (f"1 - {ERRORS} < 0.95", "success_rate", Op.LT, 0.95, 300),
        (f"0.05 < {ERRORS}", "success_rate", Op.LT, 0.95, 300),
        (f"{ERRORS} > (14.4 * (1 - 0.999))", "success_rate", Op.LT, 0.9856, 300),
        ('sum(rate(t{code!~"5.."}[1h])) / sum(rate(t[1h])) < 0.99', "success_rate", Op.LT, 0.99, 3600),
        ("rate(tasks_failed_total[5m]) / rate(tasks_total[5m]) > 0.1", "success_rate", Op.LT, 0.9, 300),
        ("rate(failed[5m]) / (rate(failed[5m]) + rate(succeeded[5m])) > 0.1", "success_rate", Op.LT, 0.9, 300),
        ("histogram_quantile(0.99, sum by (le) (rate(d_seconds_bucket[5m]))) > 2", "latency_p99", Op.GT, 2.0, 300),
        ("histogram_quantile(0.95, rate(d_milliseconds_bucket[5m])) > 250", "latency_p95", Op.GT, 0.25, 300),
        ("histogram_quantile(0.95, rate(queue_wait_seconds_bucket[5m])) > 3", "wait_p95", Op.GT, 3.0, 300),
        ("rate(d_seconds_sum[5m]) / rate(d_seconds_count[5m]) > 2", "latency_mean", Op.GT, 2.0, 300),
        ('rate(d_seconds_bucket{le="0.5"}[5m]) / rate(d_seconds_count[5m]) < 0.9', "latency_share_below(500ms)", Op.LT, 0.9, 300),
        ('d_seconds{quantile="0.5"} > 1', "latency_p50", Op.GT, 1.0, None),
        ("sum(rate(failed[5m])) / sum(rate(succeeded[5m])) > 0.25", "success_rate", Op.LT, 0.8, 300),
        ("sum(rate(tasks_total[5m])) < 0.5", "throughput", Op.LT, 0.5, 300),
        ("increase(jobs_total[10m]) < 60", "throughput", Op.LT, 0.1, 600),
        ("increase(t_failed_total[10m]) > 5", "failed_tasks", Op.GT, 5.0, 600),
        ("rate(t_failed_total[10m]) > 0.5", "failed_tasks", Op.GT, 300.0, 600),
        ("max_over_time(celery_queue_length[10m]) > 5", "queue_depth", Op.GT, 5.0, 600),
        ("max_over_time(celery_queue_length[10m]) < 5", "queue_depth", Op.LT, 5.0, None),
        ("min_over_time(celery_queue_length[10m]) > 5", "queue_depth", Op.GT, 5.0, None),
        ("sum(celery_workers_up) == 0", "workers_alive", Op.EQ, 0.0, None),
        ("process_resident_memory_bytes / 1024 / 1024 > 512", "rss", Op.GT, 536870912.0, None),
    ],
)  # fmt: skip
def test_what_an_expression_means(text: str, sli: str, op: Op, value: float, window_s: float | None) -> None:
    found = condition_of(parse_promql(text), {})
    assert isinstance(found, Simple)
    assert (found.indicator.sli, found.op, found.indicator.window_s) == (sli, op, window_s)
    assert found.value == pytest.approx(value, rel=1e-12)


def test_the_least_over_a_time_is_a_condition_that_holds_for_it() -> None:
    found = condition_of(parse_promql("min_over_time(celery_queue_length[10m]) > 5"), {})
    assert isinstance(found, Simple) and found.held_s == 600
    at_all = condition_of(parse_promql("max_over_time(celery_queue_length[10m]) > 5"), {})
    assert isinstance(at_all, Simple) and not at_all.held_s


def test_several_conditions() -> None:
    node = parse_promql(f"({ERRORS} > 0.05 and {ERRORS} > 0.01) and celery_queue_length > 5")
    found = condition_of(node, {})
    assert isinstance(found, Several) and found.how == "all" and len(found.parts) == 3
    either = condition_of(parse_promql("queue_size > 5 or threads > 5"), {})
    assert isinstance(either, Several) and either.how == "any"


def test_recording_rules_are_put_in() -> None:
    recorded = {"job:errors": parse_promql(ERRORS), "job:twice": parse_promql("job:errors * 2")}
    found = condition_of(parse_promql("job:twice > 0.1"), recorded)
    assert isinstance(found, Simple) and (found.indicator.sli, found.op) == ("success_rate", Op.LT)
    assert found.value == pytest.approx(0.95)
    with pytest.raises(UntranslatableError):
        condition_of(parse_promql("a > 1"), {"a": parse_promql("a")})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("up == 0", "is scraped"),
        ("absent(up)", "missing series"),
        ("some_metric > 5", "no indicator is known for the metric some_metric"),
        ("a_queue_size > b_queue_size", "two series with each other"),
        ("rate(x_total[5m]) / rate(x_total[1h]) > 1", "different windows"),
        ("rate(x_total[5m]) / rate(y_total[5m]) > 1", "not clear"),
        ("increase(failed[5m]) / rate(tasks[5m]) > 1", "different functions"),
        ("increase(wal_writes_total[5m]) > 1", "no indicator is known for the counter wal_writes_total"),
        ("predict_linear(queue_size[1h], 3600) > 5", "predict_linear() has no counterpart"),
        ("queue_size offset 1h > 5", "offset"),
        ("queue_size > 5 unless threads > 1", "unless"),
        ("queue_size", "compares nothing"),
        ('oldest_message_seconds{queue="x-dlq"} > 5', "the age of dead letters"),
    ],
)
def test_what_cannot_be_said_is_explained(text: str, why: str) -> None:
    with pytest.raises(UntranslatableError, match=why.replace("(", r"\(").replace(")", r"\)")):
        condition_of(parse_promql(text), {})


@pytest.mark.parametrize(
    "text",
    [
        "rate(tasks_total[5m] offset 1h) < 0.5",
        f"{ERRORS.replace('[5m]', '[5m] offset 1h')} > 0.05",
        "histogram_quantile(0.99, rate(d_seconds_bucket[5m] @ 1700000000)) > 2",
        "(sum(rate(failed[5m])) offset 1d) > 5",
        "max_over_time(queue_size[1h] offset 1h) > 5",
        "depth offset 1h > 5",
        "late > 5",
    ],
)
def test_another_time_is_not_translated(text: str) -> None:
    recorded = {"depth": parse_promql("sum(queue_size)"), "late": parse_promql("sum(queue_size offset 1h)")}
    with pytest.raises(UntranslatableError, match="cannot look at another time"):
        condition_of(parse_promql(text), recorded)


@pytest.mark.parametrize(
    ("name", "sli", "unit"),
    [
        ("celery_task_runtime", "execution_p99", 1.0),
        ("job_execution_seconds", "execution_p99", 1.0),
        ("request_processing_milliseconds", "execution_p99", 1000.0),
        ("processing_wait_seconds", "wait_p99", 1.0),
        ("http_request_duration_seconds", "latency_p99", 1.0),
    ],
)
def test_the_time_of_executions_is_not_latency(name: str, sli: str, unit: float) -> None:
    quantile = condition_of(parse_promql(f"histogram_quantile(0.99, rate({name}_bucket[5m])) > 2"), {})
    assert isinstance(quantile, Simple) and quantile.indicator.sli == sli and quantile.value == 2 / unit
    taken = any("without waiting" in note for note in quantile.indicator.notes)
    assert taken == (quantile.indicator.own is not None) == sli.startswith("execution")


def test_a_share_and_a_mean_of_executions() -> None:
    text = 'rate(job_execution_seconds_bucket{le="0.5"}[5m]) / rate(job_execution_seconds_count[5m]) < 0.9'
    share = condition_of(parse_promql(text), {})
    assert isinstance(share, Simple) and share.indicator.sli == "execution_share_below_500ms"
    assert share.indicator.own == {"share": {"of": "execution.ended", "below": "500ms"}}
    with pytest.raises(UntranslatableError, match="has no mean"):
        condition_of(parse_promql("rate(celery_task_runtime_sum[5m]) / rate(celery_task_runtime_count[5m]) > 2"), {})


@pytest.mark.parametrize(
    ("text", "sli"),
    [
        ('rabbitmq_queue_messages_ready{queue_name="shop-dlq"} > 0', "dead_lettered"),
        ('sum(queue_messages{queue=~".*[.]dead"}) > 0', "dead_lettered"),
        ("celery_dead_letter_queue_length > 0", "dead_lettered"),
        ('increase(messages_published_total{queue="orders.dead-letter"}[1h]) > 0', "dead_lettered"),
        ('queue_messages{queue!="shop-dlq"} > 0', "queue_depth"),
        ('queue_messages{queue="deadlines"} > 0', "queue_depth"),
    ],
)
def test_a_queue_of_dead_letters_is_not_the_queue(text: str, sli: str) -> None:
    found = condition_of(parse_promql(text), {})
    assert isinstance(found, Simple) and found.indicator.sli == sli
    assert any("taken for " in note for note in found.indicator.notes)


@pytest.mark.parametrize(
    "name", ["rabbitmq_queue_messages_unacked", "rabbitmq_queue_messages_unacknowledged", "sqs_messages_not_visible"]
)
def test_work_in_progress_is_not_the_queue(name: str) -> None:
    with pytest.raises(UntranslatableError, match="counts work in progress"):
        condition_of(parse_promql(f"{name} > 5"), {})


def test_labels_of_a_ratio_are_said_to_be_left_out() -> None:
    text = 'rate(t_total{queue="email",state="failed"}[5m]) / rate(t_total{queue="email"}[5m]) > 0.05'
    found = condition_of(parse_promql(text), {})
    assert isinstance(found, Simple)
    assert found.indicator.notes[0] == "queue=email: everything is taken together"
    found = condition_of(parse_promql('job:errors{queue="email"} > 0.05'), {"job:errors": parse_promql(ERRORS)})
    assert isinstance(found, Simple)
    assert found.indicator.notes[0] == "queue=email: everything is taken together"


def test_a_range_of_what_is_recorded() -> None:
    recorded = {"depth": parse_promql("celery_queue_length"), "all": parse_promql("sum(celery_queue_length)")}
    found = condition_of(parse_promql("max_over_time(depth[10m]) > 5"), recorded)
    assert isinstance(found, Simple) and found.indicator.window_s == 600
    with pytest.raises(UntranslatableError, match="a range of all"):
        condition_of(parse_promql("max_over_time(all[10m]) > 5"), recorded)
