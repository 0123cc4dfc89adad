"""What explanations need of a run beside the courses of its series: cases, longest intervals, and load."""

from soak.runner.judge.explanation.calendar import Calendar
from soak.runner.judge.explanation.kept import KeptCases
from soak.runner.judge.explanation.load import LoadRecord
from soak.runner.judge.explanation.longest import LongestStretches
from soak.runner.judge.explanation.wanted import wanted
from soak.runner.judge.samples import Facts
from soak.schemas.language.model import Scenario


class Records:
    """Follows the facts of block after block; only what is part of the run is shown to it."""

    def __init__(self, scenario: Scenario) -> None:
        self.wanted = wanted(scenario)
        """The series of which trackers note violations."""
        self.calendar = Calendar(scenario)
        self.cases = KeptCases(self.calendar, scenario.warmup_s)
        self.longest = LongestStretches(scenario)
        self.load = LoadRecord(scenario)

    def observe(self, facts: Facts) -> None:
        """Process the facts of a block."""
        self.cases.observe(facts.violations)
        self.longest.observe(facts)
        self.load.observe(facts)
