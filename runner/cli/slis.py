"""`soak slis`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from soak.runner.cli.options import json_option
from soak.runner.console import hand_over, remark

if TYPE_CHECKING:
    from soak.schemas.language.slis import Sli


@click.command("slis")
@click.option(
    "--scenario", type=click.Path(path_type=Path), help="List those of this scenario, including the ones it defines."
)
@json_option
def command(scenario: Path | None, as_json: bool) -> int:
    """List the service-level indicators: name, unit and meaning. A scenario may also name any other percentile of durations
    (latency_p90, wait_p99.9) and their share of at most a limit (latency_share_below(2s)).

    \b
    Example:
      soak slis
    """
    catalogues = _catalogues(scenario)
    rows = [(system, sli) for system, slis in catalogues.items() for sli in slis.values()]
    if as_json:
        import json

        listed = [
            {
                "name": s.name,
                "system": system,
                "unit": s.unit.value,
                "base_unit": s.unit.symbol,
                "better": s.better.value,
                "description": s.description,
            }
            for system, s in rows
        ]
        hand_over(json.dumps(listed, indent=2))
        return 0
    width = max(len(sli.name) for _, sli in rows)
    unit_width = max(len(sli.unit.value) for _, sli in rows)
    for number, (system, slis) in enumerate(catalogues.items()):
        hand_over(f"{chr(10) * bool(number)}system: {system}")
        for sli in slis.values():
            hand_over(f"  {sli.name:{width}}  {sli.unit.value:{unit_width}}  {sli.description}")
    return 0


def _catalogues(scenario: Path | None) -> "Mapping[str, Mapping[str, Sli]]":
    from soak.schemas.language.load import load
    from soak.schemas.language.registry import languages

    if scenario:
        loaded = load(scenario).scenario
        return {loaded.system: loaded.slis}
    found, broken = languages()
    for why in broken:
        remark(f"warning: {why}")
    return {language.name: language.slis for language in found}
