"""What the page of a self-test needs of trials and truths."""

from soak.reports.pages.selftest import FoundCheck, Tried
from soak.runner.selftest.matrix import TrialResult
from soak.runner.selftest.truths import CaseResult, Side


def tried_trial(result: TrialResult) -> Tried:
    """A trial with a planted defect, or of the sound system."""
    trial = result.trial
    meant = {each.check for each in result.found if each.check in trial.meant and trial.status in {None, each.status}}
    found = [FoundCheck(each.check, each.status, each.at_s, each.check in meant) for each in result.found]
    return Tried(
        name=trial.name,
        target=trial.scenario,
        sound=trial.defect is None,
        verdict=result.outcome.value,
        expected=" or ".join(trial.meant) or "nothing found",
        as_meant=result.as_meant,
        found=found,
        after_s=result.found_after_s,
    )


def tried_case(result: CaseResult) -> Tried:
    """A truth, or its control, which is the same system with settings under which nothing goes wrong."""
    case = result.case
    by_indicator = f"by {case.indicator}" if case.indicator else ""
    by_cause = f"because of {case.cause}" if case.cause else ""
    by = case.indicator
    found = [FoundCheck(check, "", meant=bool(by) and by in check.split()) for check in result.found]
    return Tried(
        name=f"{case.name}, {case.side.value}",
        target=case.target,
        sound=case.side is Side.CONTROL,
        verdict=result.outcome and result.outcome.value,
        expected=" ".join(filter(None, [" or ".join(case.expect), by_indicator, by_cause])),
        as_meant=result.as_meant,
        found=found,
        why=result.why,
        tries=result.tries,
    )
