"""What the shell completes: targets, tiers, run directories, shipped scenarios and gates. Imports nothing that takes long."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
from click.shell_completion import CompletionItem

NAMED = "simulation orchestrator calls pipeline gateway gateway-postgres http"
"""The targets that have a name: their rooms take too long to import."""

_ROOT = Path(__file__).parents[1]
_ADAPTERS = _ROOT / "systems" / "adapters"
_MOST = 1_000_000
"""Bytes of a scenario that are looked through for its tiers."""
_MOST_RUNS = 200


def targets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of targets, bundled and installed, then adapters; files, once a path is begun."""
    if os.sep in incomplete or incomplete.endswith((".yaml", ".yml")):
        return [CompletionItem(incomplete, type="file")]
    from importlib.metadata import entry_points

    adapters = sorted(path.parent.name for path in _ADAPTERS.glob("*/target.yaml"))
    installed = sorted(each.name for each in entry_points(group="soak.targets"))
    found = _starting([*NAMED.split(), *installed, *adapters], incomplete)
    return found or [CompletionItem(incomplete, type="file")]


def tiers(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The tiers of the scenario that the command line names."""
    # An option without its value ends the parsing, so that no argument is known yet: the words of the command are.
    words = ctx.parent.args if ctx.parent else []
    for word in words:
        if not word.startswith("-") and (found := _tiers_of(Path(word))):
            return _starting(found, incomplete)
    return []


def _tiers_of(path: Path) -> list[str]:
    """The keys below `tiers:`; none of a file that cannot be read."""
    import yaml

    try:
        if not path.is_file() or path.stat().st_size > _MOST:
            return []
        data = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return []
    found = data.get("tiers") if isinstance(data, dict) else None
    return [str(name) for name in found] if isinstance(found, dict) else []


def run_directories(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Run directories in the folder that is begun, or in `runs`, the newest first; other folders where there are none."""
    folder = Path(incomplete if incomplete.endswith(os.sep) else Path(incomplete).parent)
    found = [*_runs(folder), *(_runs(Path("runs")) if folder == Path() else [])]
    items = _starting([str(path) for path in found], incomplete)
    return items or [CompletionItem(incomplete, type="dir")]


def _runs(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            found = [(entry.stat().st_mtime, Path(entry.path)) for entry in entries if entry.is_dir()]
    except OSError:
        return []
    newest = (path for _, path in sorted(found, reverse=True))
    return [path for path, _ in zip(filter(_is_run, newest), range(_MOST_RUNS), strict=False)]


def _is_run(path: Path) -> bool:
    return (path / "run_manifest.json").exists()


def shipped(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Shipped scenarios and gates, by name."""
    return _starting([*_names(_ROOT / "scenarios"), *(f"gates/{name}" for name in _names(_ROOT / "gates"))], incomplete)


def templates(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the templates of `soak init`, those of installed systems too."""
    from soak.runner.templates import templates as all_templates

    return _starting(all_templates()[0], incomplete)


def gates(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Gate files in the folder `gates`; any file where that has none."""
    found = _starting([str(path) for path in sorted(Path("gates").glob("*.yaml"))], incomplete)
    return found or [CompletionItem(incomplete, type="file")]


def _names(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*.yaml")):
        yield path.relative_to(folder).with_suffix("").as_posix()


def _starting(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in dict.fromkeys(names) if name.startswith(incomplete)]
