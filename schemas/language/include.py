"""`include:`: fragments of a scenario in files of their own, below its folder."""

from pathlib import Path, PurePosixPath

from soak.schemas.errors import FileError, Problem, ScenarioError, Where, quoted
from soak.schemas.language.document import MAX_BYTES, Document, read_document
from soak.schemas.language.overrides import lay_over
from soak.schemas.language.syntax import MAX_NODES

KEY = "include"
MAX_LEVELS, MAX_FILES = 5, 50
_REMEDY = "name a file in the folder of this file, or below it"


def with_fragments(document: Document, folder: Path) -> Document:
    """`document` without `include`, merged over the fragments that it names; a later one is merged over those before it.

    Raises ScenarioError for fragments that cannot be read.
    """
    inclusion = _Inclusion(folder, document)
    result = inclusion.resolved(document, folder, (Path(document.source).resolve(),))
    return _as_the_file(result, document, tuple(inclusion.read))


def _as_the_file(result: Document, document: Document, read: tuple[str, ...]) -> Document:
    """The merged data as those of the file itself: its own keys first."""
    assert isinstance(result.data, dict) and isinstance(document.data, dict)
    order = [key for key in document.data if key in result.data]
    result.data = {key: result.data[key] for key in (*order, *(key for key in result.data if key not in order))}
    result.source, result.content = document.source, document.content
    result.marks[()] = document.mark(())
    result.composed, result.included = True, read
    return result


class _Inclusion:
    """What has been read so far of all fragments of a scenario."""

    def __init__(self, folder: Path, document: Document) -> None:
        self._root = folder.resolve()
        self._bytes, self._values = len(document.content), len(document.marks)
        self.read: dict[str, None] = {}

    def resolved(self, document: Document, folder: Path, trail: tuple[Path, ...]) -> Document:
        """`document` merged over what it includes. Raises ScenarioError."""
        assert isinstance(document.data, dict)
        names = document.data[KEY]
        assert isinstance(names, list)
        base, problems = Document(document.source, {}), list[Problem]()
        for index, name in enumerate(names):
            try:
                fragment = self._fragment(document, (KEY, index), folder, str(name), trail)
            except ScenarioError as error:
                problems += error.problems
            else:
                base = lay_over(base, fragment) if fragment else base
        if problems:
            raise ScenarioError([*document.problems, *problems])
        own = {key: value for key, value in document.data.items() if key != KEY}
        return lay_over(
            base, Document(document.source, own, b"", document.marks, document.keys, list(document.problems))
        )

    def _fragment(
        self, document: Document, where: Where, folder: Path, name: str, trail: tuple[Path, ...]
    ) -> Document | None:
        """The fragment with all that it includes; None for one that was included before. Raises ScenarioError."""
        path = folder / name
        if reason := self._misplaced(name, path) or _circle(path, trail):
            raise ScenarioError([document.problem(where, f"{quoted(name)} {reason}", _REMEDY)])
        place = path.resolve().relative_to(self._root).as_posix()
        if place in self.read:
            return None
        try:
            fragment = read_document(path)
        except FileError as error:
            raise ScenarioError([document.problem(where, f"{quoted(name)}: {error.problem.what}", _REMEDY)]) from None
        self.read[place] = None
        self._spend(fragment, document, where)
        if not isinstance(fragment.data, dict):
            what = "a fragment must be a mapping"
            raise ScenarioError([*fragment.problems, fragment.problem((), what, "write it like faults: [...]")])
        if KEY not in fragment.data:
            return fragment
        check_names(fragment)
        return self.resolved(fragment, path.parent, (*trail, path.resolve()))

    def _misplaced(self, name: str, path: Path) -> str:
        """Why a fragment may not be there; empty if it may."""
        parts = PurePosixPath(name)
        if parts.is_absolute() or Path(name).is_absolute() or ".." in Path(name).parts:
            return "is outside the folder of the scenario"
        try:
            inside = path.resolve().is_relative_to(self._root)
        except (OSError, RuntimeError, ValueError):
            return "is not a path"
        return "" if inside else "leads out of the folder of the scenario"

    def _spend(self, fragment: Document, document: Document, where: Where) -> None:
        """Raises ScenarioError when the fragments are too many or too large together."""
        self._bytes, self._values = self._bytes + len(fragment.content), self._values + len(fragment.marks)
        for found, most, what in (
            (len(self.read), MAX_FILES, "fragments"),
            (self._bytes, MAX_BYTES, "bytes"),
            (self._values, MAX_NODES, "values"),
        ):
            if found > most:
                said = f"the scenario and its fragments are more than {most:,} {what}"
                raise ScenarioError([document.problem(where, said, "include fewer or smaller fragments")])


def _circle(path: Path, trail: tuple[Path, ...]) -> str:
    """Why a fragment cannot be included from here; empty if it can."""
    if path.resolve() in trail:
        return "includes itself"
    return f"is more than {MAX_LEVELS} fragments deep" if len(trail) > MAX_LEVELS else ""


def check_names(document: Document) -> None:
    """Raises ScenarioError unless `include` of a mapping has the form that the schema gives it."""
    from soak.schemas.language.shape import shape_problems

    if problems := shape_problems(document, only=(KEY,)):
        raise ScenarioError([*document.problems, *problems])
