"""One `soak compare SCENARIO --with KEY=VALUE`, from a scenario file to files and a few lines."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from soak.runner.compare.batches import CONFIDENCE
from soak.runner.compare.effects import effects, values_of
from soak.runner.compare.noise import LEAST_PAIRS, mcnemar
from soak.runner.compare.relative import WORDS, Relative, parse_relative
from soak.runner.compare.session import make_directory
from soak.runner.console import remark
from soak.runner.evidence.record import to_json
from soak.runner.progress import counting
from soak.runner.replications.replication import Job, Replication, seeds
from soak.runner.replications.worker_pool import Crew, LocalCrew, in_order
from soak.runner.session import Interruption
from soak.schemas.errors import UsageError
from soak.schemas.evidence.changes import Direction, RelativeResult
from soak.schemas.evidence.verdict import Outcome, Status
from soak.schemas.evidence.whatif import SCHEMA_VERSION, Effect, Variant, Verdicts, WhatIf
from soak.schemas.language.expression import Unit
from soak.schemas.language.load import Loaded, Sources
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import Sli
from soak.schemas.units import show_gain

WHAT_IF = "what_if.json"
Pair = tuple[Replication, Replication]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a scenario, what changes in the variant of it, and how sure the answer must be."""

    scenario: Path
    variant: tuple[str, ...]
    tier: str | None
    overlays: tuple[Path, ...]
    settings: tuple[str, ...]
    replications: int
    alpha: float
    least: float
    objectives: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both scenarios, the SLIs that both have, and the objectives relative to the base."""

    base: Loaded
    variant: Loaded
    slis: list[Sli]
    objectives: list[Relative]


def answer(question: Question, out: Path | None) -> tuple[WhatIf, Path, bool]:
    """Simulate both variants and write what comes of it; returns it, where, and whether someone interrupted. Raises SoakError."""
    sides = _load(question)
    directory = make_directory(out, sides.base.scenario.name)
    interruption = Interruption()
    try:
        with interruption.listening():
            pairs = _simulate(sides, question.replications, interruption)
        if interruption.asked and len(pairs) < LEAST_PAIRS:
            raise KeyboardInterrupt
    except BaseException:
        directory.path.rmdir()
        raise
    result = conclude(question, sides, pairs)
    from soak.reports.whatif import render_what_if

    directory.write(WHAT_IF, to_json(result))
    for name, content in render_what_if(result).items():
        directory.write(name, content)
    return result, directory.path, interruption.asked


def _load(question: Question) -> _Sides:
    sources = Sources.read(question.scenario, question.overlays)
    base = sources.load(tier=question.tier, settings=question.settings)
    variant = sources.load(tier=question.tier, settings=question.settings, variant=question.variant)
    if base.scenario.seed != variant.scenario.seed:
        raise UsageError("--with seed=…: both variants get the same seeds (name another for both with --seed)")
    if base.sha256 == variant.sha256:
        remark("the variant says what the base says: nothing will differ")
    now = variant.scenario.slis
    slis = [sli for name, sli in base.scenario.slis.items() if name in now and now[name].unit == sli.unit]
    names = [sli.name for sli in slis]
    return _Sides(base, variant, slis, [parse_relative(text, names) for text in question.objectives])


def _simulate(sides: _Sides, count: int, interruption: Interruption) -> list[Pair]:
    base, variant = sides.base.scenario, sides.variant.scenario
    remark(f"{base.name}: {count} pairs of replications, simulated with the same seeds, seed {base.seed}")
    made: list[Pair] = []
    with counting(count, "pairs") as progress, closing(replicate_pairs(LocalCrew(), base, variant, count)) as pairs:
        for pair in pairs:
            made.append(pair)
            progress(len(made))
            if interruption():
                break
    return made


def replicate_pairs(crew: Crew, base: Scenario, variant: Scenario, count: int) -> Generator[Pair, None, None]:
    """Replications of both scenarios with the same seeds, those of the base's; few are under way at a time."""
    with closing(in_order(crew, _jobs(base, variant, count))) as results:
        for result in results:
            yield result, next(results)


def _jobs(base: Scenario, variant: Scenario, count: int) -> Iterator[Job]:
    for index, seed in enumerate(islice(seeds(base.seed), count)):
        yield Job(2 * index, seed, base, in_full=True)
        yield Job(2 * index + 1, seed, variant, in_full=True)


def conclude(question: Question, sides: _Sides, pairs: Sequence[Pair]) -> WhatIf:
    """What the pairs say."""
    found = effects(values_of(sides.slis, pairs), alpha=question.alpha, least=question.least, confidence=CONFIDENCE)
    by_name = {effect.sli: effect for effect in found}
    relative = [each.judge(by_name[each.sli].base, by_name[each.sli].variant) for each in sides.objectives]
    passed = [tuple(_verdict(each) is Outcome.PASS for each in pair) for pair in pairs]
    verdict_p = mcnemar(passed.count((True, False)), passed.count((False, True)))
    before, now = (sum(side) for side in zip(*passed, strict=True))
    fewer = _fewer((before, now), len(passed), verdict_p, question.alpha)
    reasons = [*_worse(found), *_broken(relative), *fewer]
    return WhatIf(
        schema_version=SCHEMA_VERSION,
        scenario=sides.base.scenario.name,
        tier=question.tier,
        settings=list(question.settings),
        seed=sides.base.scenario.seed,
        asked=question.replications,
        seeds=[base.seed for base, _ in pairs],
        confidence=CONFIDENCE,
        alpha=question.alpha,
        least=question.least,
        regressed=bool(reasons),
        reasons=reasons,
        base=_variant(sides.base, (), [base for base, _ in pairs]),
        variant=_variant(sides.variant, question.variant, [variant for _, variant in pairs]),
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


def _fewer(passes: tuple[int, int], count: int, p: float, alpha: float) -> Iterator[str]:
    """That fewer of `count` replications PASS than before, in words; `passes`: of the base and of the variant."""
    before, now = passes
    if now < before and p <= alpha:
        yield f"PASS in {now} of {count} replications, and was in {before} (p = {p:.2g})"


def summary_lines(result: WhatIf, directory: Path) -> str:
    """The comparison for a terminal: what became worse or better."""
    word = "REGRESSED" if result.regressed else "NOT REGRESSED"
    lines = [f"{word}  {result.scenario} with {' '.join(result.variant.settings)}"]
    passed, count = (result.base.verdicts.PASS, result.variant.verdicts.PASS), len(result.seeds)
    told = [*_broken(result.objectives), *_fewer(passed, count, result.verdict_p, result.alpha)]
    lines += [f"  {reason}" for reason in told]
    differing = [each for each in result.effects if each.low or each.high]
    ordered = sorted(differing, key=lambda each: _ORDER.index(each.direction))
    lines += [f"  {each.direction.value:9}  {each.sli:20}  {each.detail}{_gain(each)}" for each in ordered]
    units = {each.sli: Unit(each.unit) for each in result.effects}
    for objective in result.objectives:
        unit = units[objective.sli]
        value = "nothing observed" if objective.value is None else unit.show_beside(objective.value, objective.target)
        lines.append(f"  {objective.status.value:12} {objective.objective:40} {value:>16}")
    same = sum(each.low == each.high == 0 for each in result.effects)
    return "\n".join(
        [
            *lines,
            f"  {count} pairs of replications: {same} more SLIs are the same in every pair; "
            f"PASS in {passed[0]} before, in {passed[1]} now",
            f"  report: {directory / 'what_if.md'}",
        ]
    )


_ORDER = (Direction.WORSE, Direction.BETTER, Direction.UNCHANGED, Direction.UNTESTED, Direction.UNKNOWN)


def _gain(effect: Effect) -> str:
    return "" if effect.gain is None else f", as good as {show_gain(effect.gain)} times as many unpaired"
