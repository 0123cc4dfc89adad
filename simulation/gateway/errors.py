"""Why a request failed: the causes, numbered the same in every run."""

from soak.schemas.language.http import RequestError
from soak.schemas.stream.vocabulary import Vocabulary


def error_causes(vocabulary: Vocabulary) -> dict[RequestError, int]:
    """The cause of each error, registered in a fixed order."""
    return {error: vocabulary.cause("", error.value) for error in RequestError}
