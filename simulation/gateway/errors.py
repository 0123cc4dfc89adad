"""What is a success, as requests expect it, and the causes by which one is none, numbered the same in every run."""

import math

from msgspec import Struct

from soak.schemas.language.http import Exchange, RequestError
from soak.schemas.stream.vocabulary import Vocabulary

_OK = 200


def error_causes(vocabulary: Vocabulary) -> dict[RequestError, int]:
    """The cause of each error, registered in a fixed order."""
    return {error: vocabulary.cause("", error.value) for error in RequestError}


class Success(Struct, frozen=True):
    """What requests of a kind expect. status: that of a good answer. also: others that are. within_s: the longest it may take."""

    status: int = _OK
    also: frozenset[int] = frozenset()
    within_s: float = math.inf


def successes(exchanges: tuple[Exchange, ...]) -> tuple[Success, ...]:
    """By kind of work. An answer of the model is the one expected, in all but its status and when it comes."""
    expected = [each.expected for each in exchanges]
    return tuple(
        Success(
            _OK if not each.statuses or _OK in each.statuses else min(each.statuses),
            each.statuses,
            math.inf if each.within_s is None else each.within_s,
        )
        for each in expected
    ) or (Success(),)
