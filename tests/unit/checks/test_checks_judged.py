"""What follows from the answers of checks, by histories of events."""

from collections.abc import Iterable
from typing import Any

import pytest
from histories import scenario

from soak.runner.judge.decide import decide
from soak.runner.judge.judge import Judge
from soak.schemas.evidence.verdict import End, Status, Verdict
from soak.schemas.language.check import numbered
from soak.schemas.language.expression import Unit
from soak.schemas.stream.block import Block, make_block
from soak.schemas.stream.events import Kind
from soak.schemas.stream.identity import Identity
from soak.simulation.plan import Plan

TENANTS = """
workload:
  arrivals: {rate: 1/s}
  task: {duration: {distribution: constant, value: 9s}}
  tenants: [{name: A, share: 50%}, {name: B, share: 50%}]
"""
Row = tuple[float, Kind, int, str, str, float]


class Story:
    """Events of checks of a scenario."""

    def __init__(self, text: str) -> None:
        self.plan = Plan(scenario(text))
        self.checks = self.plan.scenario.checks
        self.rows: list[Row] = [(0.0, Kind.RUN_STARTED, -1, "", "", 0.0)]

    def answer(self, t_s: float, name: str, tenant: str = "", failed: str = "", **values: Any) -> None:
        """A check answered; text stands for another one than was expected."""
        place = next(n for n, each in enumerate(self.checks) if each.name == name)
        numbers = {value: n for n, (check, value) in enumerate(numbered(self.checks)) if check.name == name}
        for field, value in values.items():
            number = numbers["{done}" if field == "done" else field]
            text = value if isinstance(value, str) else ""
            amount = 0.0 if text else float(value)
            kind = Kind.CHECK_NEGATIVE if amount < 0 else Kind.CHECK_VALUE
            self.rows.append((t_s, kind, number, tenant, text, abs(amount)))
        self.rows.append((t_s, Kind.CHECK_FAILED if failed else Kind.CHECK_DONE, place, tenant, failed, 0.5))

    def teardown(self, t_s: float, place: int, tenant: str = "", failed: str = "") -> None:
        """A step of the teardown came to an end."""
        self.rows.append((t_s, Kind.TEARDOWN_FAILED if failed else Kind.TEARDOWN_DONE, place, tenant, failed, 0.1))

    def verdict(
        self, *, size: int = 1000, clock: str = "real", end: End = End.COMPLETED, tasks: bool = False
    ) -> Verdict:
        """What is made of it, in blocks of so much."""
        target = "simulation" if clock == "simulated" else "orchestrator"
        identity = Identity("test", "0" * 64, 0, target, clock)
        judge = Judge.of(self.plan.scenario, self.plan.vocabulary, identity)
        last = (self.rows[-1][0] + 1, Kind.RUN_ENDED, -1, "", "", 0.0)
        for block in self._blocks([*self.rows, last], size, tasks=tasks):
            for _ in judge.observe(block):
                pass
        return decide(judge, identity, end)

    def _blocks(self, rows: list[Row], size: int, *, tasks: bool) -> Iterable[Block]:
        word = self.plan.vocabulary
        for begin in range(0, len(rows), size):
            t, kind, worker, tenant, text, value = zip(*rows[begin : begin + size], strict=True)
            yield make_block(
                t,
                kind,
                until_s=t[-1],
                worker=worker,
                label=[word.label(each) if each else -1 for each in tenant],
                cause=[word.cause("", each) if each else 0 for each in text],
                value=value,
                **(
                    {"task": [2 * int(at) if of < Kind.TASK_FAILED else -1 for at, of in zip(t, kind, strict=True)]}
                    if tasks
                    else {}
                ),
            )


def found(verdict: Verdict) -> dict[str, tuple[Status, str]]:
    """Status and detail by objective."""
    return {each.objective: (each.status, each.detail) for each in verdict.objectives}


def statuses(verdict: Verdict) -> dict[str, Status]:
    """Status by objective."""
    return {each.objective: each.status for each in verdict.objectives}


ONE = "checks: [{name: c, when: %s, exec: [c], expect: {%s}}]"


@pytest.mark.parametrize(
    ("expect", "values", "status"),
    [
        ("n: 0", {"n": 0}, Status.PASS),
        ("n: 0", {"n": -3}, Status.FAIL),
        ('n: ">= 2"', {"n": 1.5}, Status.FAIL),
        ('n: "< 2"', {"n": 1.999999}, Status.PASS),
        ('n: "!= 2"', {"n": 2}, Status.FAIL),
        ("s: ok", {"s": 1}, Status.PASS),
        ("s: ok", {"s": '"bad"'}, Status.FAIL),
        ("s: true", {"s": "false"}, Status.FAIL),
        ('n: ">= {done}"', {"n": 3, "done": 3}, Status.PASS),
        ('n: ">= {done}"', {"n": 2, "done": 3}, Status.FAIL),
        ('n: "<= all"', {"n": 2, "all": 1}, Status.FAIL),
    ],
)
def test_a_last_answer_is_compared(expect: str, values: dict[str, Any], status: Status) -> None:
    story = Story(ONE % ("after", expect))
    story.answer(1.0, "c", **values)
    assert [*statuses(story.verdict()).values()] == [status]


def test_less_than_there_is_says_nothing_that_holds_of_all() -> None:
    story = Story(ONE % ("after", 'bad: 0, gap: 0, seen: "== written"'))
    story.answer(1.0, "c", bad=0, gap=2, seen=10, written=20)
    assert found(story.verdict()) == {
        "c_bad == 0": (Status.INCONCLUSIVE, "it holds in what was looked at: 10 of 20 (seen of written)"),
        "c_gap == 0": (Status.FAIL, ""),
        "c_seen == written": (Status.INCONCLUSIVE, "it looked at 10 of 20 (seen of written)"),
    }
    more = Story(ONE % ("after", 'bad: 0, seen: "== written"'))
    more.answer(1.0, "c", bad=0, seen=21, written=20)
    assert statuses(more.verdict()) == {"c_bad == 0": Status.PASS, "c_seen == written": Status.FAIL}


@pytest.mark.parametrize(("answer", "shown"), [(1, "as expected"), ("false", "something else")])
def test_text_is_shown_as_what_was_expected_and_not_as_a_number(answer: Any, shown: str) -> None:
    story = Story(ONE % ("after", "s: true"))
    story.answer(1.0, "c", s=answer)
    verdict = story.verdict()
    (objective,) = verdict.objectives
    assert Unit(objective.unit).show_beside(objective.value or 0.0, objective.target) == shown
    assert objective.margin is None
    said = [each for each in verdict.reasons if each.startswith("objective")]
    assert said == (
        [] if answer == 1 else ["objective c_s == true is broken: something else observed, it answered false"]
    )


def test_nothing_to_look_at_says_nothing() -> None:
    """0 of 0 rows; where only a number is named, 0 is what was asked for."""
    nothing = Story(ONE % ("after", 'bad: 0, gap: 0, seen: "== written"'))
    nothing.answer(1.0, "c", bad=0, gap=2, seen=0, written=0)
    said = "there was nothing to look at (seen and written are 0)"
    assert found(nothing.verdict()) == {
        "c_bad == 0": (Status.INCONCLUSIVE, said),
        "c_gap == 0": (Status.FAIL, ""),
        "c_seen == written": (Status.INCONCLUSIVE, said),
    }
    more = Story(ONE % ("after", 'seen: ">= written"'))
    more.answer(1.0, "c", seen=1, written=0)
    assert statuses(more.verdict()) == {"c_seen >= written": Status.PASS}


def test_a_broken_line_says_what_the_value_is_compared_with() -> None:
    story = Story(ONE % ("after", 'n: ">= {done}"'))
    story.answer(1.0, "c", n=283, done=2659)
    verdict = story.verdict()
    assert found(verdict) == {"c_n >= {done}": (Status.FAIL, "{done} was 2,659")}
    assert "objective c_n >= {done} is broken: 283 observed, {done} was 2,659" in verdict.reasons


def test_the_last_answer_counts_and_of_an_interval_the_worst() -> None:
    settled = Story(ONE.replace("when: %s", "when: settled, within: 9s") % "n: 0")
    for t_s, n in ((1.0, 5), (2.0, 0)):
        settled.answer(t_s, "c", n=n)
    assert statuses(settled.verdict()) == {"c_n == 0": Status.PASS}
    never = Story(ONE.replace("when: %s", "when: settled, within: 9s") % "n: 0")
    never.answer(1.0, "c", n=0)
    never.answer(2.0, "c", n=5)
    assert found(never.verdict()) == {"c_n == 0": (Status.FAIL, "not within 9s")}
    so_far = "it did not hold so far: the run was interrupted before"
    assert found(never.verdict(end=End.INTERRUPTED)) == {"c_n == 0": (Status.INCONCLUSIVE, so_far)}
    every = Story(ONE % ("every 1s", "n: 0"))
    for t_s, n in ((1.0, 0), (2.0, -7), (3.0, 5), (4.0, 0)):
        every.answer(t_s, "c", n=n)
    verdict = every.verdict()
    assert (verdict.objectives[0].status, verdict.objectives[0].value) == (Status.FAIL, -7.0)
    assert verdict.slis["c_n"] == 5.0


def test_no_answer_is_inconclusive_in_words() -> None:
    story = Story(ONE % ("every 1s", "n: 0, m: 1"))
    story.answer(1.0, "c", n=0, m=1)
    story.answer(2.0, "c", failed="timeout")
    story.answer(3.0, "c", failed="missing_field m", n=0)
    assert found(story.verdict()) == {
        "c_n == 0": (Status.INCONCLUSIVE, "once: no answer: it took longer than 10s"),
        "c_m == 1": (Status.INCONCLUSIVE, "2 times: no answer: it took longer than 10s"),
    }
    never = Story(ONE % ("after", "n: 0"))
    assert found(never.verdict(end=End.ABORTED)) == {
        "c_n == 0": (Status.INCONCLUSIVE, "the check c was not made: the run was aborted before")
    }


def test_each_tenant_has_its_own_objective_and_indicator() -> None:
    text = (
        TENANTS
        + 'slos: ["c_n{tenant=*} <= 1"]\nchecks: [{name: c, for_each: tenant, when: after, exec: [c], expect: {n: 0}}]'
    )
    story = Story(text)
    story.answer(1.0, "c", "B", n=2)
    story.answer(1.0, "c", "A", n=0)
    assert statuses(story.verdict()) == {
        "c_n{tenant=A} <= 1": Status.PASS,
        "c_n{tenant=B} <= 1": Status.FAIL,
        "c_n{tenant=A} == 0": Status.PASS,
        "c_n{tenant=B} == 0": Status.FAIL,
    }
    assert story.verdict().slis["c_n"] == 2.0


def test_a_simulation_is_not_judged_by_checks() -> None:
    story = Story('slos: ["c_n <= 1"]\n' + ONE % ("after", "n: 0"))
    verdict = story.verdict(clock="simulated")
    assert verdict.objectives == []
    assert verdict.not_judged == ["c_n <= 1", "c_n == 0"]


def test_a_teardown_that_fails_or_is_not_done_is_a_warning() -> None:
    text = TENANTS + "teardown: [{name: a, exec: [a]}, {name: b, for_each: tenant, exec: [b]}]"
    story = Story(text)
    story.teardown(1.0, 0, failed="exit 3")
    story.teardown(2.0, 1, "A")
    verdict = story.verdict()
    assert verdict.warned == [
        "teardown a failed: its command ended with exit code 3",
        "teardown b{tenant=B} was not done: `soak resume` does it",
    ]
    assert story.verdict(clock="simulated").warned == []


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_nothing_depends_on_where_blocks_end(size: int) -> None:
    story = Story(
        TENANTS + 'checks: [{name: c, for_each: tenant, when: every 1s, exec: [c], expect: {n: "<= all", s: ok}}]'
    )
    for t_s in (1.0, 1.0, 2.0):
        story.answer(t_s, "c", "A", n=t_s, all=2, s=1)
        story.answer(t_s, "c", "B", failed="not_a_number n", s='"no"')
    assert story.verdict(size=size) == story.verdict()


def test_checks_at_the_end_take_no_time_from_throughput() -> None:
    story = Story("slos: [throughput >= 1/s]\n" + ONE % ("after", "n: 0"))
    for t_s in range(10):
        for kind in (Kind.TASK_ENQUEUED, Kind.TASK_DISPATCHED, Kind.TASK_DONE):
            story.rows.append((float(t_s), kind, -1, "", "", float(t_s)))
    story.rows.append((10.0, Kind.CHECKS_BEGAN, -1, "", "", 1.0))
    story.answer(50.0, "c", n=0)
    verdict = story.verdict(tasks=True)
    assert verdict.slis["throughput"] == 1.0
