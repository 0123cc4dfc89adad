"""One check, or one step of the teardown, made now."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from soak.runner.checks import command, query
from soak.runner.checks.answers import CancelledError, NoAnswerError, Outcome, one_object, outcome_of
from soak.runner.checks.request import Requests
from soak.schemas.braces import filled, names_in
from soak.schemas.errors import failure_words
from soak.schemas.language.check import Check, Exec, Http, LoadFigure, Sql, Step, braced
from soak.schemas.language.outlets import Secret


class Surroundings(Struct, frozen=True):
    """What a check is made with: the folder of the scenario, what stands in braces, and whether to end at once."""

    folder: Path
    requests: Requests
    tenant: str
    values: Mapping[str, str]
    cancelled: Callable[[], bool]


def perform(step: Step, figures: Mapping[LoadFigure, int], around: Surroundings) -> tuple[Outcome, float]:
    """What it came to, and its time in real seconds. Raises nothing."""
    began = time.monotonic()
    try:
        answer = _done(step, around)
        outcome = outcome_of(step, answer) if isinstance(step, Check) else Outcome()
    except NoAnswerError as error:
        outcome = Outcome(failed=error.cause, more=error.more)
    except Exception as error:
        outcome = Outcome(failed="error", more=failure_words(error))
    asked = step.figures if isinstance(step, Check) else ()
    known = {braced(figure): float(figures[figure]) for figure in asked}
    hide = around.requests.hidden
    texts = {name: hide(text) for name, text in outcome.texts.items()}
    whole = Outcome({**outcome.values, **known}, texts, outcome.failed, hide(outcome.more))
    return whole, time.monotonic() - began


def _done(step: Step, around: Surroundings) -> Mapping[str, Any]:
    """The answer of a check; of a step of the teardown nothing. Raises NoAnswerError."""
    if around.cancelled():
        raise CancelledError
    action, is_check = step.action, isinstance(step, Check)
    if isinstance(action, Http):
        # What else is in braces is of the request: it is known to be something.
        return around.requests.answer(step, action, around.tenant, around.values, around.cancelled)
    refuse_unknown(action, around.values)
    if isinstance(action, Exec):
        words = filled(action.words, around.values)
        said = command.run(words, around.folder, step.timeout_s, around.cancelled)
        return one_object(said) if is_check else {}
    database, sql = _database(action.database, around), filled(action.query, around.values)
    return query.query(database, sql, around.folder, step.timeout_s, changes=not is_check)


def refuse_unknown(action: Exec | Sql, values: Mapping[str, str]) -> None:
    """Raises NoAnswerError for a name in braces whose value is not known in this run."""
    texts = action.words if isinstance(action, Exec) else (str(action.database), action.query)
    for text in texts:
        for name in names_in(text):
            if name not in values:
                raise NoAnswerError(f"unknown_name {{{name}}}")


def _database(written: str | Secret, around: Surroundings) -> str:
    text = around.requests.text_of(written)
    return str(filled(text, around.values)) if isinstance(written, str) else text
