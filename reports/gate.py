"""gate.md: the decision of a gate, for people."""

from soak.reports.summary import TEMPLATES, make_environment
from soak.schemas.evidence.decision import Decision, RuleResult

TEMPLATE = "gate.md.j2"


def render_gate(decision: Decision) -> str:
    """The decision as Markdown."""
    environment = make_environment()
    environment.filters.update(in_words=in_words)
    text = (TEMPLATES / TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(text).render(decision=decision)


def in_words(rule: RuleResult) -> str:
    """A rule in a few words: what is wrong, or what was checked."""
    bad = [check for check in rule.checks if not check.ok]
    if rule.ok:
        good = len(rule.checks) - len(bad)
        return f"{good} checked" if not bad else f"{good} passed, {len(bad)} did not: enough passed"
    first = f"{bad[0].file}: {bad[0].detail}" if bad else ""
    more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
    return "; ".join(part for part in (rule.detail, f"{first}{more}" if first else "") if part)
