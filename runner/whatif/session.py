"""One `soak compare SCENARIO --with KEY=VALUE`, from a request to files and a result."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from msgspec import Struct

from soak.runner.analysis import Analysis, numbered_directory, write_analysis
from soak.runner.compare.changes import WORDS, Relative, parse_relative
from soak.runner.compare.noise import LEAST_PAIRS
from soak.runner.compare.signs import sign_p
from soak.runner.console import remark
from soak.runner.interruption import Interruption, listening
from soak.runner.replications.preload import loading
from soak.runner.replications.processes import ProcessPool
from soak.runner.replications.replication import Replication, paired_jobs
from soak.runner.replications.series import series
from soak.runner.whatif.effects import effects, together_of, values_of
from soak.runner.whatif.request import Request
from soak.schemas.errors import UsageError
from soak.schemas.evidence.changes import Direction, RelativeResult
from soak.schemas.evidence.verdict import Outcome, Status
from soak.schemas.evidence.whatif import SCHEMA_VERSION, Effect, Variant, Verdicts, WhatIf
from soak.schemas.language.load import Loaded
from soak.schemas.language.slis import Sli

_REPORTS = ("soak.reports.pages.whatif", "soak.reports.whatif")
FILE, REPORT = "what_if.json", "what_if.html"
Pair = tuple[Replication, Replication]


class _Sides(Struct, frozen=True):
    """Both scenarios, the SLIs that both have, and the objectives relative to the base."""

    base: Loaded
    variant: Loaded
    slis: list[Sli]
    objectives: list[Relative]


def perform(request: Request) -> Analysis[WhatIf]:
    """Simulate both variants and write what comes of it. An interruption after enough pairs ends them early. Raises SoakError."""
    sides = _load(request)
    with (
        numbered_directory(request.out, f"compare-{sides.base.scenario.name}") as directory,
        listening() as interrupted,
    ):
        pairs = _simulate(sides, request, interrupted)
        if interrupted.asked and len(pairs) < LEAST_PAIRS:
            raise KeyboardInterrupt
        result = conclude(request, sides, pairs)
        from soak.reports.pages.whatif import what_if_page
        from soak.reports.whatif import render_what_if

        rendered = {**render_what_if(result), REPORT: what_if_page(result)}
        write_analysis(directory, FILE, result, rendered, sealed=False)
    return Analysis(result, directory.path, REPORT, interrupted.asked)


def _load(request: Request) -> _Sides:
    chosen, sources = request.scenario, request.scenario.read()
    base = sources.load(tier=chosen.tier, settings=chosen.settings).simulated()
    variant = sources.load(tier=chosen.tier, settings=chosen.settings, variant=request.variant).simulated()
    if base.scenario.seed != variant.scenario.seed:
        raise UsageError("--with seed=…: both variants get the same seeds (name another for both with --seed)")
    if base.sha256 == variant.sha256:
        remark("the variant is the same as the base: nothing will differ")
    now = variant.scenario.slis
    slis = [sli for name, sli in base.scenario.slis.items() if name in now and now[name].unit == sli.unit]
    names = [sli.name for sli in slis]
    return _Sides(base, variant, slis, [parse_relative(text, names) for text in request.objectives])


def _simulate(sides: _Sides, request: Request, interrupted: Interruption) -> list[Pair]:
    base, variant, count = sides.base.scenario, sides.variant.scenario, request.replications
    remark(f"{base.name}: {count} pairs of replications, simulated with the same seeds, seed {base.seed}")
    made: list[Pair] = []
    wanted = islice(paired_jobs(base, variant), 2 * count)
    pool = ProcessPool(request.jobs)
    with loading(*_REPORTS), series(pool, wanted, count, "pairs", interrupted) as (results, show):
        for pair in in_pairs(results):
            made.append(pair)
            show(len(made), "")
    return made


def in_pairs(results: Iterable[Replication]) -> Iterator[Pair]:
    """Two by two; a single one at the end of an interrupted series is left out."""
    each = iter(results)
    return zip(each, each, strict=False)


def conclude(request: Request, sides: _Sides, pairs: Sequence[Pair]) -> WhatIf:
    """What the pairs say."""
    passed = [tuple(_verdict(each) is Outcome.PASS for each in pair) for pair in pairs]
    only = passed.count((True, False)), passed.count((False, True))
    values = values_of(sides.slis, pairs)
    together = together_of(values, alpha=request.alpha, least=request.least, differing=sum(only))
    found = effects(values, together)
    by_name = {effect.sli: effect for effect in found}
    relative = [each.judge(by_name[each.sli].base, by_name[each.sli].variant) for each in sides.objectives]
    verdict_p = sign_p(*only)
    before, now = (sum(side) for side in zip(*passed, strict=True))
    fewer = _fewer((before, now), len(passed), verdict_p, together.level)
    reasons = [*_worse(found), *_broken(relative), *fewer]
    return WhatIf(
        schema_version=SCHEMA_VERSION,
        scenario=sides.base.scenario.name,
        tier=request.scenario.tier,
        settings=list(request.scenario.settings),
        seed=sides.base.scenario.seed,
        asked=request.replications,
        seeds=[base.seed for base, _ in pairs],
        confidence=1 - request.alpha,
        alpha=request.alpha,
        level=together.level,
        least=request.least,
        regressed=bool(reasons),
        reasons=reasons,
        base=_variant(sides.base, (), [base for base, _ in pairs]),
        variant=_variant(sides.variant, request.variant, [variant for _, variant in pairs]),
        verdict_p=verdict_p,
        effects=found,
        objectives=relative,
    )


def _verdict(replication: Replication) -> Outcome:
    return Outcome.ABORTED if replication.aborted_by else replication.verdict


def _variant(loaded: Loaded, settings: tuple[str, ...], made: Sequence[Replication]) -> Variant:
    outcomes = [_verdict(each) for each in made]
    verdicts = Verdicts(**{outcome.value: outcomes.count(outcome) for outcome in Outcome})
    return Variant(loaded.sha256, list(settings), loaded.scenario.duration_s, verdicts)


def _worse(found: Sequence[Effect]) -> Iterator[str]:
    """The SLIs that became worse, in words."""
    for effect in found:
        if effect.direction is Direction.WORSE:
            yield f"{effect.sli} is worse: {effect.detail}"


def _broken(relative: Sequence[RelativeResult]) -> Iterator[str]:
    """The relative objectives that do not hold, in words."""
    for each in relative:
        if each.status is not Status.PASS:
            yield f"objective {each.objective} {WORDS[each.status]}"


def _fewer(passes: tuple[int, int], count: int, p: float, level: float) -> Iterator[str]:
    """That fewer of `count` replications PASS than before, in words; `passes`: of the base and of the variant."""
    before, now = passes
    if now < before and p <= level:
        yield f"PASS in {now} of {count} replications, and was in {before} (p = {p:.2g})"
