"""A file as it is to be read: with its fragments (`include`) and values of the environment (`environment`)."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from soak.schemas.errors import Problem, show_path
from soak.schemas.language import environment, include
from soak.schemas.language.document import Document


def composed(document: Document, folder: Path, variables: Mapping[str, str] = os.environ) -> Document:
    """`document` without `include` and `environment`, which are carried out; the same one if it has neither.

    Raises ScenarioError for fragments that cannot be read; all other problems are recorded in the document.
    """
    if isinstance(document.data, dict) and include.KEY in document.data:
        include.check_names(document)
        document = include.with_fragments(document, folder)
    if isinstance(document.data, dict) and environment.KEY in document.data:
        if wrong := environment.check_list(document):
            return _without_list(document, wrong)
        document = environment.with_values(document, variables)
    return document


def _without_list(document: Document, problems: list[Problem]) -> Document:
    assert isinstance(document.data, dict)
    data = {key: value for key, value in document.data.items() if key != environment.KEY}
    return replace(document, data=data, problems=[*document.problems, *problems], composed=True)


def too_late(document: Document) -> list[Problem]:
    """The keys of this module in a document that was read before: put there by `--set`, they would do nothing."""
    keys = [key for key in (include.KEY, environment.KEY) if isinstance(document.data, dict) and key in document.data]
    remedy = "set the environment variable, or write it in the file"
    return [document.problem((key,), "is carried out when the file is read, and not later", remedy) for key in keys]


def with_hints(document: Document, problems: list[Problem]) -> list[Problem]:
    """`problems`; those of values with a `${NAME}` in a scenario that lists no names say how it would be replaced."""
    if not problems or document.composed:
        return problems
    names = {show_path(where): name for where, name in environment.unlisted(document.data)}
    return [
        replace(each, remedy=f"{each.remedy}; to have it replaced, add {environment.KEY}: {{{names[each.where]}: …}}")
        if each.where in names
        else each
        for each in problems
    ]
