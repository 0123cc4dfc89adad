"""What became of the work of a run, in a line."""

from soak.schemas.evidence.verdict import Verdict
from soak.schemas.language.room import Language


def worked_on(verdict: Verdict, language: Language) -> str:
    """What became of tasks, or of the work of a system without any."""
    if work := language.work:
        counts = [(word, verdict.slis.get(sli)) for sli, word in work.beside]
        beside = "".join(f", {count:,.0f} {word}" for word, count in counts if count)
        return (
            f"{verdict.load.offered:,} {work.units} {work.offered}, {verdict.load.answered:,} {work.answered}{beside}"
        )
    words = language.tasks
    states = ", ".join(
        f"{count:,} {words.states.get(name, name) if words else name}"
        for name, count in verdict.tasks.items()
        if count and name != "accepted"
    )
    return f"{verdict.tasks['accepted']:,} {words.units if words else 'tasks'}: {states or 'none'}"
