"""All that the judge keeps of checks."""

import math

import numpy as np

from soak.runner.judge.checks.expected import Expectations
from soak.runner.judge.checks.figures import Figures
from soak.runner.judge.checks.outcomes import Outcomes
from soak.runner.judge.checks.series import CheckSeries
from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.samples import Facts, Scan
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary

_ENDS_OF_WORK = kind_flags(Kind.CHECKS_BEGAN, Kind.RUN_RESUMED)


class CheckFolds:
    """What checks answered, what was expected of it, and the figures that they may be compared with."""

    def __init__(self, scenario: Scenario, labels: LabelNumbers, vocabulary: Vocabulary) -> None:
        self._series = CheckSeries(scenario, labels, vocabulary)
        self.outcomes, self.expectations = Outcomes(scenario, vocabulary), Expectations(scenario)
        self.figures = Figures(scenario, vocabulary)
        self._is_empty = not (scenario.checks or scenario.teardown)
        self.began_s = math.inf
        """When all work was over and the checks at the end began."""

    def follow(self, block: Block, facts: Facts) -> None:
        """Add the values of checks in a block to its facts."""
        self._series.observe(block, facts)

    def observe(self, block: Block, scan: Scan | None = None) -> None:
        """Process a block, as it was judged. scan: what has been seen of it."""
        if scan and self._is_empty and not scan.counts[_ENDS_OF_WORK].any():
            return
        self.outcomes.observe(block)
        self.expectations.observe(self.outcomes)
        self.figures.observe(block)
        for index in np.flatnonzero(_ENDS_OF_WORK[block.kind]).tolist():
            self.began_s = float(block.t[index]) if block.kind[index] == Kind.CHECKS_BEGAN else math.inf
