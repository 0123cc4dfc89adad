"""A scenario file to a typed scenario, or to all its problems."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from msgspec import Struct

from soak.schemas.errors import Problem, ScenarioError, SoakError, UsageError
from soak.schemas.files import STDIN, Folders, folder_of
from soak.schemas.language.build import build_scenario
from soak.schemas.language.composition import composed, too_late, with_hints
from soak.schemas.language.document import Document, read_document
from soak.schemas.language.model import Scenario
from soak.schemas.language.overrides import apply_overlay, apply_settings, apply_tier
from soak.schemas.language.registry import MEND, blame
from soak.schemas.language.semantics import semantic_problems
from soak.schemas.language.shape import shape_problems
from soak.schemas.language.systems import completed, problems_of_system
from soak.schemas.versions_seen import Age, note_version

LANGUAGE_VERSION = 1
"""`version` of the scenarios that this release reads."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A scenario with the document it was built from: as written, overrides applied, defaults not filled in."""

    scenario: Scenario
    document: Document
    source: Path
    overridden: bool
    content: bytes
    """The file as it was read."""
    folders: Folders = field(compare=False, repr=False)
    """Folders of the files it refers to."""
    tier: str | None = None
    settings: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    """The values used of names listed under `environment`."""
    included: tuple[str, ...] = ()
    """The fragments that were merged in."""

    def simulated(self) -> "Loaded":
        """The same with the objectives by which a simulation is judged."""
        return replace(self, scenario=self.scenario.judged(simulated=True))

    @property
    def data(self) -> dict[str, Any]:
        """The plain data of the document."""
        assert isinstance(self.document.data, dict)
        return dict(self.document.data)

    @property
    def folder(self) -> Path:
        """The folder of its file."""
        return folder_of(self.source)

    @property
    def sha256(self) -> str:
        """Hash of the content, independent of comments, layout and order of keys; and of its trace, if it has one."""
        import hashlib

        text = json.dumps(self.data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if (trace := self.scenario.workload.trace) is not None:
            text += trace.seen.sha256
        return hashlib.sha256(text.encode()).hexdigest()


class Sources(Struct, frozen=True):
    """A scenario file, its overlays and the files they refer to: each is read once."""

    path: Path
    document: Document
    overlays: tuple[Document, ...]
    folders: Folders
    conventions: Document | None = None
    """What is otherwise with the target that it is run against: laid over the scenario before the overlays are."""

    @classmethod
    def read(
        cls,
        path: Path,
        overlays: Sequence[Path] = (),
        reader: Callable[[Path], Document] = read_document,
        conventions: Document | None = None,
    ) -> "Sources":
        """Raises ScenarioError for a file that is not YAML, and UsageError for one that cannot be read."""
        if [path, *overlays].count(STDIN) > 1:
            raise UsageError("standard input can be read once (give the scenario or the overlay as a file)")
        folders = Folders([*(folder_of(overlay) for overlay in reversed(overlays)), folder_of(path)])
        document, *others = (composed(reader(each), folder_of(each)) for each in (path, *overlays))
        return cls(path, document, tuple(others), folders, conventions)

    def load(self, *, tier: str | None = None, settings: Sequence[str] = (), variant: Sequence[str] = ()) -> Loaded:
        """The scenario with a tier, the overlays, `--set` overrides and those of `--with` applied, in this order.

        Raises ScenarioError with every problem.
        """
        try:
            return self._load(tier, settings, variant)
        except SoakError:
            raise
        except Exception as error:
            if not (blamed := blame(error)):
                raise
            raise ScenarioError([self.document.problem(("system",), blamed.what, MEND)]) from error

    def _load(self, tier: str | None, settings: Sequence[str], variant: Sequence[str]) -> Loaded:
        document = self.document
        chosen = document if tier is None else apply_tier(document, tier)
        for overlay in (*([self.conventions] if self.conventions else []), *self.overlays):
            chosen = apply_overlay(chosen, overlay)
        chosen = apply_settings(chosen, settings) if settings else chosen
        chosen = apply_settings(chosen, variant, "--with") if variant else chosen
        found = too_late(chosen) + scenario_problems(chosen, self.folders)
        problems = with_hints(self.document, found) or list(self._problems_of_tiers(tier))
        if problems:
            _note_newer(chosen)
            raise ScenarioError(problems)
        scenario = build_scenario(completed(chosen.data), self.folders)
        overrides = (*settings, *variant)
        laid_over = bool(self.overlays) or self.conventions is not None
        overridden = tier is not None or laid_over or bool(overrides) or document.composed
        environment = {name: value for each in (document, *self.overlays) for name, value in each.environment.items()}
        included = tuple(name for each in (document, *self.overlays) for name in each.included)
        return Loaded(
            scenario,
            chosen,
            self.path,
            overridden,
            document.content,
            self.folders,
            tier=tier,
            settings=overrides,
            environment=environment,
            included=included,
        )

    def _problems_of_tiers(self, chosen: str | None) -> Iterator[Problem]:
        """Of the tiers not chosen."""
        beside = self.folders.last
        for tier in _tiers(self.document):
            if tier != chosen:
                yield from _tier_problems(self.document, tier, beside)


def load(
    path: Path,
    *,
    tier: str | None = None,
    overlays: Sequence[Path] = (),
    settings: Sequence[str] = (),
    variant: Sequence[str] = (),
    conventions: Document | None = None,
) -> Loaded:
    """The scenario in `path` as `Sources.load` gives it.

    Raises ScenarioError with every problem of the file, and UsageError when the file cannot be read.
    """
    return Sources.read(path, overlays, conventions=conventions).load(tier=tier, settings=settings, variant=variant)


def _note_newer(document: Document) -> None:
    """Note a scenario that is written for a later release of the language."""
    found = document.data.get("version") if isinstance(document.data, dict) else None
    if isinstance(found, int) and not isinstance(found, bool) and found > LANGUAGE_VERSION:
        note_version(Age.NEWER, "scenario", found, LANGUAGE_VERSION)


def scenario_problems(document: Document, folders: Folders, only: Iterable[str] | None = None) -> list[Problem]:
    """What is wrong with the scenario in a document; `only`: in these sections."""
    unusable = problems_of_system(document)
    filled = completed(document.data)
    found = document.problems + unusable + ([] if unusable else shape_problems(document, only))
    seen = {problem.where for problem in found}
    beyond = semantic_problems(document, filled, folders, shapely=not found)
    return found + [problem for problem in beyond if problem.where not in seen]


def _tiers(document: Document) -> dict[str, Any]:
    """What each tier overrides."""
    tiers = document.data.get("tiers") if isinstance(document.data, dict) else None
    return dict(tiers) if isinstance(tiers, dict) else {}


def _tier_problems(document: Document, tier: str, folders: Folders) -> list[Problem]:
    overridden = list(_tiers(document)[tier])
    problems = scenario_problems(apply_tier(document, tier), folders, only=overridden)
    return [_with_tier(problem, tier, overridden) for problem in problems]


def _with_tier(problem: Problem, tier: str, overridden: list[str]) -> Problem:
    key = re.split(r"[.\[]", problem.where)[0]
    remedy = problem.remedy if key in overridden else f"{problem.remedy}, or override {key} in the tier"
    return replace(problem, what=f"with tier {tier}: {problem.what}", remedy=remedy)
