"""The words of one event stream, as small numbers."""

from msgspec import Struct


class Cause(Struct, frozen=True):
    """Why something happened: the fault that caused it and the error class (either may be empty)."""

    fault: str = ""
    error: str = ""


NO_CAUSE = 0
"""Index of the empty cause in every vocabulary."""


class Label(Struct, frozen=True):
    """The labels of a task in the stream: its tenant and its kind of work (either may be empty)."""

    tenant: str = ""
    kind: str = ""


class Vocabulary:
    """The words of one stream: causes, labels and names, each with a small number; grows with new words."""

    def __init__(self) -> None:
        self.causes: list[Cause] = [Cause()]
        self.labels: list[Label] = []
        self.names: list[str] = []
        self._cause_index: dict[Cause, int] = {Cause(): NO_CAUSE}
        self._label_index: dict[tuple[str, str], int] = {}

    def cause(self, fault: str, error: str = "") -> int:
        """The number of a cause."""
        cause = Cause(fault, error)
        index = self._cause_index.get(cause)
        if index is None:
            index = self._cause_index[cause] = len(self.causes)
            self.causes.append(cause)
        return index

    def label(self, tenant: str = "", kind: str = "") -> int:
        """The number of a label."""
        index = self._label_index.get((tenant, kind))
        if index is None:
            index = self._label_index[tenant, kind] = len(self.labels)
            self.labels.append(Label(tenant, kind))
        return index

    def name(self, name: str) -> int:
        """The number of a name."""
        return _index(self.names, name)


def _index(words: list[str], word: str) -> int:
    if word not in words:
        words.append(word)
    return words.index(word)
