"""A scenario file to a typed scenario, or to everything that is wrong with it."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from schemas.build import build_scenario
from schemas.document import Document, read_document
from schemas.errors import Problem, ScenarioError
from schemas.files import Folders
from schemas.model import Scenario
from schemas.overrides import apply_overlay, apply_settings, apply_tier
from schemas.semantics import semantic_problems
from schemas.shape import shape_problems
from schemas.systems import completed


@dataclass(frozen=True, slots=True)
class Loaded:
    """A scenario with the document it was built from: as written, overrides applied, defaults not filled in."""

    scenario: Scenario
    document: Document
    source: Path
    overridden: bool
    tier: str | None = None
    settings: tuple[str, ...] = ()
    overlays: tuple[Path, ...] = ()

    @property
    def data(self) -> dict[str, Any]:
        """What the document says."""
        assert isinstance(self.document.data, dict)
        return dict(self.document.data)

    @property
    def folders(self) -> Folders:
        """Where the files that it names are."""
        return _folders(self.source, self.overlays)

    @property
    def sha256(self) -> str:
        """Hash of what the scenario says, whatever its comments, layout and order of keys."""
        text = json.dumps(self.data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def load(
    path: Path,
    *,
    tier: str | None = None,
    overlays: Sequence[Path] = (),
    settings: Sequence[str] = (),
    variant: Sequence[str] = (),
) -> Loaded:
    """The scenario in `path` with a tier, overlay files, `--set` overrides and those of `--with` applied, in this order.

    Raises ScenarioError with every problem of the file, and UsageError when the file cannot be read.
    """
    return load_document(read_document(path), path, tier=tier, overlays=overlays, settings=settings, variant=variant)


def load_document(
    document: Document,
    path: Path,
    *,
    tier: str | None = None,
    overlays: Sequence[Path] = (),
    settings: Sequence[str] = (),
    variant: Sequence[str] = (),
) -> Loaded:
    """The scenario in a document that was read from `path`, as `load` gives it; the document stays as it is.

    Raises ScenarioError.
    """
    chosen = document if tier is None else apply_tier(document, tier)
    for overlay in overlays:
        chosen = apply_overlay(chosen, read_document(overlay))
    chosen = apply_settings(chosen, settings) if settings else chosen
    chosen = apply_settings(chosen, variant, "--with") if variant else chosen
    problems = _problems(chosen, _folders(path, overlays))
    if not problems:
        problems = [
            problem
            for other in _tiers(document)
            if other != tier
            for problem in _tier_problems(document, other, [path.parent])
        ]
    if problems:
        raise ScenarioError(problems)
    scenario = build_scenario(completed(chosen.data), _folders(path, overlays))
    overrides = (*settings, *variant)
    overridden = tier is not None or bool(overlays) or bool(overrides)
    return Loaded(scenario, chosen, path, overridden, tier, overrides, tuple(overlays))


def _folders(source: Path, overlays: Sequence[Path]) -> Folders:
    return [*(overlay.parent for overlay in reversed(overlays)), source.parent]


def _problems(document: Document, folders: Folders, only: Iterable[str] | None = None) -> list[Problem]:
    filled = completed(document.data)
    found = document.problems + shape_problems(document, only)
    seen = {problem.where for problem in found}
    return found + [problem for problem in semantic_problems(document, filled, folders) if problem.where not in seen]


def _tiers(document: Document) -> dict[str, Any]:
    """What each tier overrides."""
    tiers = document.data.get("tiers") if isinstance(document.data, dict) else None
    return dict(tiers) if isinstance(tiers, dict) else {}


def _tier_problems(document: Document, tier: str, folders: Folders) -> list[Problem]:
    overridden = list(_tiers(document)[tier])
    problems = _problems(apply_tier(document, tier), folders, only=overridden)
    return [_with_tier(problem, tier, overridden) for problem in problems]


def _with_tier(problem: Problem, tier: str, overridden: list[str]) -> Problem:
    key = re.split(r"[.\[]", problem.where)[0]
    remedy = problem.remedy if key in overridden else f"{problem.remedy}, or override {key} in the tier"
    return replace(problem, what=f"with tier {tier}: {problem.what}", remedy=remedy)
