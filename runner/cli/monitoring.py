"""`soak monitoring`."""

from pathlib import Path

import click

from soak.runner.cli.options import Positive, all_settings, json_option, override_options, scenario_argument
from soak.runner.console import tell


@click.command("monitoring")
@scenario_argument
@override_options
@click.option("--speed", type=Positive(100_000), default=1.0, help="Speed of the runs to monitor. [default: 1]")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="DIR", default=Path("monitoring"), show_default=True
)
@json_option
def command(
    scenario: Path,
    seed: int | None,
    duration: str | None,
    settings: tuple[str, ...],
    overlays: tuple[Path, ...],
    tier: str | None,
    speed: float,
    out: Path,
    as_json: bool,
) -> int:
    """Write a scenario's monitoring: Prometheus alert rules from its alerts, with unit tests for promtool, and a Grafana
    dashboard.

    \b
    Example:
      soak monitoring scenarios/72h.yaml --out monitoring
      promtool test rules monitoring/alert_rules_test.yaml
    """
    import json

    from soak.runner.evidence.directory import refuse_in_run, write_whole
    from soak.runner.export.monitoring import monitoring_files
    from soak.runner.export.rules import not_covered
    from soak.schemas.language.load import load

    refuse_in_run(out)
    loaded = load(scenario, tier=tier, overlays=overlays, settings=all_settings(settings, duration, seed))
    written = []
    for name, content in monitoring_files(loaded.scenario, speed).items():
        write_whole(out / name, content)
        written.append(str(out / name))
    missing = not_covered(loaded.scenario)
    if as_json:
        tell(json.dumps({"files": written, "not_covered": missing}, indent=2))
    else:
        tell("\n".join([*written, *(f"not covered: {each}" for each in missing)]))
    return 0
