"""what_if.html: what a change of a scenario does."""

import shlex
from collections.abc import Iterator

from soak.reports.changes import show_signed
from soak.reports.look.blocks import Part, Section, Sheet, Step, Text, Tile
from soak.reports.look.figures import Drawing, Span
from soak.reports.look.page import Head
from soak.reports.look.palette import Role
from soak.reports.look.plot import Curve, Dot, Plot
from soak.reports.look.table import AnyCell, Cell, Column, Table, Tone
from soak.reports.pages.changed import (
    MOST_ROWS,
    ORDER,
    TONES,
    axis_of,
    direction_cell,
    drawn,
    numbered,
    percent,
    relative_objectives,
)
from soak.reports.sheet import render_sheet
from soak.reports.summary import shown
from soak.schemas.evidence.changes import Direction
from soak.schemas.evidence.whatif import Effect, WhatIf
from soak.schemas.language.expression import Unit
from soak.schemas.units import show_gain, show_ratio

_VERDICTS = ("PASS", "FAIL", "ABORTED", "INCONCLUSIVE")


def what_if_page(result: WhatIf) -> bytes:
    """The page as a file."""
    return render_sheet(sheet_of(result))


def sheet_of(result: WhatIf) -> Sheet:
    """The page."""
    ordered = sorted(result.effects, key=lambda each: ORDER.index(each.direction))
    known = [each for each in ordered if each.direction is not Direction.UNKNOWN]
    differing = [each for each in known if each.higher or each.lower]
    same = [each for each in known if not (each.higher or each.lower)]
    sections = [Section("What the change does", list(_pictures(result, differing)))]
    sections.append(Section("Verdicts", [_verdicts(result), Text(_verdict_words(result))]))
    if result.objectives:
        units = {each.sli: each.unit for each in result.effects}
        sections.append(Section("Relative objectives", [relative_objectives(result.objectives, units)]))
    sections.append(Section("Indicators that differ", [_indicators(differing), Text(_method(result))]))
    if same:
        sections.append(
            Section(f"{len(same)} more indicators are identical in every pair", [_indicators(same)], folded=True)
        )
    return Sheet(_head(result), list(_steps(result)), sections, result.reasons, list(_tiles(differing)))


def _head(result: WhatIf) -> Head:
    settings, pairs = " ".join(result.variant.settings), len(result.seeds)
    asked = f" ({result.asked} requested)" if pairs < result.asked else ""
    worse = sum(each.direction is Direction.WORSE for each in result.effects)
    better = sum(each.direction is Direction.BETTER for each in result.effects)
    if result.regressed:
        lead = f"With {settings}, {worse} {'SLI is' if worse == 1 else 'SLIs are'} worse and {better} better, by more than noise."
    else:
        lead = f"With {settings}, nothing became worse by more than noise, and {better} of the SLIs better."
    return Head(
        title=f"{result.scenario} with {settings}",
        kicker=f"{result.scenario} · what if · seed {result.seed}",
        status="REGRESSED" if result.regressed else "NOT REGRESSED",
        tone=Tone.BAD if result.regressed else Tone.OK,
        lead=lead,
        made=f"{pairs} pairs of replications{asked}: both scenarios were simulated with the same seeds, drawn from "
        f"{result.seed}, so "
        "that the same task has the same arrival, service times and faults in both as far as they have them in "
        "common. Abort "
        "conditions end no replication, so that both are compared over the same time.",
    )


def _tiles(differing: list[Effect]) -> Iterator[Tile]:
    for each in [each for each in differing if each.direction in {Direction.WORSE, Direction.BETTER}][:6]:
        change = show_signed(each.median, each.unit) if each.relative is None else percent(each.relative)
        values = f"{shown(each.base, each.unit)} to {shown(each.variant, each.unit)}"
        yield Tile(each.sli, change, f"{each.direction.value} · {values}", TONES[each.direction])


def _steps(result: WhatIf) -> Iterator[Step]:
    if result.regressed:
        yield Step("Find the value up to which PASS is likely", "soak limits SCENARIO --vary KEY=LOW..HIGH")
    else:
        yield Step(
            "See how likely PASS is with the change", f"soak predict SCENARIO {_options(result, '--set')}".strip()
        )
    more = max(2 * result.asked, 20)
    yield Step("Repeat with more pairs, which see smaller changes", _command(result, more))
    yield Step("Repeat this comparison; SCENARIO is its file", _command(result, result.asked))


def _options(result: WhatIf, name: str) -> str:
    words = [word for each in result.variant.settings for word in (name, each)]
    words += ["--tier", result.tier] if result.tier else []
    words += [word for each in result.settings for word in ("--set", each)]
    return shlex.join(words)


def _command(result: WhatIf, pairs: int) -> str:
    return f"soak compare SCENARIO {_options(result, '--with')} -n {pairs}"


def _pictures(result: WhatIf, differing: list[Effect]) -> Iterator[Part]:
    changed = [each for each in differing if each.base and each.p is not None and each.low is not None]
    changed = sorted(changed, key=lambda each: (each.direction is Direction.UNCHANGED, each.p or 0.0))[:MOST_ROWS]
    if not changed:
        why = "No SLI has an interval: too few pairs, or most of them do not differ."
        yield Text(why if differing else "No SLI differs in any pair of replications.")
        return
    together = show_ratio(result.confidence)
    note = (
        f"Median change of a pair, relative to the base, with its interval: all of them hold together with {together}."
    )
    yield Drawing(
        "Change of each indicator", drawn([_span(each) for each in changed], "Change of each indicator"), note
    )
    yield _pairs(changed[0])


def _span(each: Effect) -> Span:
    base = abs(each.base or 1.0)
    low, high, middle = ((value or 0.0) / base for value in (each.low, each.high, each.median))
    return Span(
        each.sli,
        f"{percent(middle)} {each.direction.value}",
        low,
        high,
        dot=middle,
        tone=TONES.get(each.direction, Tone.NONE),
    )


def _pairs(effect: Effect) -> Drawing:
    """The indicator with the surest change, replication by replication."""
    values = [each for side in (effect.base_values, effect.variant_values) for each in side if each is not None]
    pairs = list(enumerate(zip(effect.base_values, effect.variant_values, strict=True), 1))
    lines = [
        Curve("", Role.LINE, [(place, base), (place, now)])
        for place, (base, now) in pairs
        if base is not None and now is not None
    ]
    dots = [
        Dot(place, value, role, name, square=square)
        for place, both in pairs
        for value, role, name, square in zip(
            both, (Role.BLUE, Role.ORANGE), ("base", "variant"), (False, True), strict=True
        )
        if value is not None
    ]
    y, x = axis_of(effect.sli, Unit(effect.unit), values), numbered("pair of replications", len(pairs))
    return Drawing(f"{effect.sli}, pair by pair", Plot(f"{effect.sli}, pair by pair", x, y, lines, dots).picture)


def _verdicts(result: WhatIf) -> Table:
    columns = (Column("verdict"), Column("base", number=True), Column("variant", number=True))
    rows = [
        [word, str(getattr(result.base.verdicts, word)), str(getattr(result.variant.verdicts, word))]
        for word in _VERDICTS
    ]
    return Table(columns, rows, "Verdicts of the replications")


def _verdict_words(result: WhatIf) -> str:
    return (
        f"ABORTED: an abort condition held. PASS in one of the two only: p = {result.verdict_p:.2g} (McNemar's "
        "exact test; it is "
        "one of those that hold together)."
    )


def _indicators(found: list[Effect]) -> Table:
    columns = (
        Column("", status=True),
        Column("SLI", code=True),
        Column("base", number=True),
        Column("variant", number=True),
        Column("mean difference", number=True),
        Column("typical difference", number=True),
        Column("interval, all together", hint="all intervals hold together"),
        Column("p", number=True),
        Column("variance reduction", number=True),
    )
    return Table(columns, [_indicator(each) for each in found], "Indicators", "None.")


def _indicator(e: Effect) -> list[AnyCell]:
    interval = e.note if e.low is None else f"{show_signed(e.low, e.unit)} to {show_signed(e.high, e.unit)}"
    return [
        direction_cell(e.direction),
        e.sli,
        shown(e.base, e.unit),
        shown(e.variant, e.unit),
        Cell(show_signed(e.difference, e.unit), [] if e.relative is None else [f"{100 * e.relative:+.2f} %"]),
        show_signed(e.median, e.unit),
        interval,
        "" if e.p is None else f"{e.p:.2g}",
        "" if e.gain is None else f"x{show_gain(e.gain)}",
    ]


def _method(result: WhatIf) -> str:
    least = f"; less than {show_ratio(result.least)} does not matter" if result.least else ""
    return (
        "Means over the pairs, and the typical difference: the median of the differences of the pairs, with its "
        "interval from order "
        "statistics, which holds whatever their distribution. All intervals and tests hold together with "
        f"{show_ratio(result.confidence)} "
        f"(Tarone's modified Bonferroni method: {100 * result.level:.3g} % for each SLI), so that WORSE and BETTER "
        f"agree with them{least}. "
        "p: the sign test of the pairs that differ. Where all or most pairs are the same, nothing can be said of "
        "how large a difference "
        "is. Variance reduction: how many times as many independent replications, with other seeds, would give a "
        "mean difference as "
        "exact."
    )
