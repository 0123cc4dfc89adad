"""The teardown of a run whose runner was killed before it could do it."""

from pathlib import Path

from soak.runner.checks.begin import run_checks
from soak.runner.console import remark
from soak.runner.evidence.stream import StreamReader, StreamWriter
from soak.runner.judge.checks.outcomes import unanswered
from soak.runner.judge.judge import Judge
from soak.runner.past import Past
from soak.schemas.stream.block import tick


def tear_down_late(past: Past) -> bool:
    """Do the teardown of a run that does not go on, unless it was done; its events are appended to the stream.

    Returns whether anything was done.
    """
    scenario = past.plan.scenario
    if past.sealed or past.identity.clock != "real" or not scenario.teardown:
        return False
    path: Path = past.directory.stream(scenario.name)
    judge = Judge.of(scenario, past.plan.vocabulary, past.identity)
    for block in StreamReader(path, past.plan.vocabulary, scenario.horizon_s).blocks():
        for _ in judge.observe(block):
            pass
    if not list(unanswered(judge.scenario, judge.checks.outcomes)):
        return False
    remark("the teardown of this run was not done: it is done now")
    checks = run_checks(past.loaded, past.plan, past.identity.speed, past.directory, judge)
    checks.close()
    found = checks.rest(tick(judge.until_s))
    if found is not None:
        with StreamWriter(path, past.identity, past.plan.vocabulary, goes_on=True) as stream:
            stream.append(found)
    return True
