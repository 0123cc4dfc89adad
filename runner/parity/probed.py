"""How far a share of probes may be apart in two runs: a probe is made at an instant, and restarts do not take equally long."""

import math
from collections.abc import Iterator

from msgspec.structs import replace

from soak.runner.judge.comparable import Probed
from soak.schemas.language.tolerance import Tolerance


def with_probes(declared: Tolerance, base: Probed, run: Probed, overhead_s: float) -> Tolerance:
    """The tolerance of a share of probes in two runs, at least what is declared of it.

    Of probes that are due every `i` seconds, a stretch of `d` seconds holds `floor(d / i)` or `ceil(d / i)`: which of the two
    depends on where between two probes it begins. A process that is down for `d` in one run and for `d'` in the other thus fails
    at most `ceil(max(d, d') / i) - floor(min(d, d') / i)` probes more in one of them. A probe may come `overhead_s` after it is
    due, in seconds of scenario time, which is as if the stretch were as much longer or shorter. Summed over the stretches of
    both runs and divided by the probes, this is what the share cannot tell. How long the stretches are is compared by itself.
    """
    probes, most = min(base.probes, run.probes), list(_probes_apart(base, run, overhead_s))
    if not probes or sum(most) <= declared.absolute * probes:
        return declared
    because = f"{sum(most)} of {probes} probes: restarts of these lengths may hold as many more"
    return replace(declared, absolute=sum(most) / probes, because=because)


def _probes_apart(base: Probed, run: Probed, overhead_s: float) -> Iterator[int]:
    """For each stretch that both runs have: how many more probes it may hold in one of them."""
    for part, stretches in base.down_s.items():
        for pair in zip(stretches, run.down_s.get(part, ()), strict=False):
            least_s, most_s = max(min(pair) - overhead_s, 0.0), max(pair) + overhead_s
            yield math.ceil(most_s / base.every_s) - math.floor(least_s / base.every_s)
