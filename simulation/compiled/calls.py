"""How Python and C hand each other things: functions with their types, arrays, what is to be freed, what both must agree on."""

import ctypes
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from numpy.ctypeslib import ndpointer

from soak.schemas.stream.block import Block
from soak.simulation.compiled.library import Unavailable, load

NUMBER, REAL, BITS, POINTER = ctypes.c_int64, ctypes.c_double, ctypes.c_uint64, ctypes.c_void_p

Types: TypeAlias = tuple[Any, ...]
"""Of a function: the type of its result, and those of its arguments. A structure is given where a pointer to it is asked for."""

_Number = TypeVar("_Number", np.float64, np.int64, np.int32, np.uint8)


@cache
def array_of(dtype: type, *, written: bool = False) -> Any:
    """The type of an argument: an array of this dtype without gaps, which C writes to if so. Any other is an ArgumentError."""
    return ndpointer(dtype, flags=("C_CONTIGUOUS", "WRITEABLE") if written else "C_CONTIGUOUS")


FLOATS, INTS = array_of(np.float64), array_of(np.int64)
FLOATS_OUT, INTS_OUT = array_of(np.float64, written=True), array_of(np.int64, written=True)


def address(array: npt.NDArray[Any], kind: Any) -> int:
    """The address of an array for a structure, if it is of this kind (see `array_of`). Raises TypeError. The caller keeps it."""
    found: int = kind.from_param(array).data
    return found


def columns(block: Block, names: Sequence[str]) -> list[npt.NDArray[Any]]:
    """Columns of a block without gaps, as C reads them."""
    return [np.ascontiguousarray(getattr(block, name), dtype=column_type(name)) for name in names]


def column_type(name: str) -> type:
    """The dtype of a column of blocks, for C."""
    return np.float64 if name in {"t", "value"} else np.int64


def copied(at: int | None, count: int, dtype: type[_Number]) -> npt.NDArray[_Number]:
    """A copy of numbers that C keeps."""
    values = np.empty(count, dtype=dtype)
    if count:
        ctypes.memmove(values.ctypes.data, at or 0, values.nbytes)
    return values


class _Shared(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("number", NUMBER))


class Library:
    """A C source: what Python calls of it, and the numbers that both must have the same."""

    def __init__(self, source: Path, functions: Mapping[str, Types], shared: Mapping[str, int]) -> None:
        """shared: constants and sizes of structures, by their names in SHARED of the source (see `soak.h`)."""
        self.source = source
        self.shared = shared
        self._functions = functions
        self._ready: ctypes.CDLL | None = None

    def load(self) -> ctypes.CDLL:
        """Its functions, with their types. Raises Unavailable, also where a number differs."""
        loaded = load(self.source)
        if loaded is not self._ready:
            if differing := sorted(set(self._shared_by(loaded)) ^ set(self.shared.items())):
                raise Unavailable(f"{self.source.name} and Python differ in {differing[0][0]}")
            for name, (result, *arguments) in self._functions.items():
                function = getattr(loaded, name)
                function.restype, function.argtypes = result, arguments
            self._ready = loaded
        return loaded

    def load_or_none(self) -> ctypes.CDLL | None:
        """See `load`; None where it cannot be had."""
        try:
            return self.load()
        except Unavailable:
            return None

    def _shared_by(self, loaded: ctypes.CDLL) -> Iterator[tuple[str, int]]:
        try:
            each = ctypes.pointer(_Shared.in_dll(loaded, "soak_shared"))
        except ValueError:
            raise Unavailable(f"{self.source.name} does not say what it shares with Python") from None
        place = 0
        while name := each[place].name:
            yield name.decode(), each[place].number
            place += 1


class Handle:
    """What C has made, to be given to its functions; freed with the last reference, but not at the end of the process:
    another thread may still be in there."""

    def __init__(self, made: int | None, free: Callable[[int], object]) -> None:
        """Raises MemoryError for None."""
        if not made:
            raise MemoryError
        self._as_parameter_ = POINTER(made)
        weakref.finalize(self, free, made).atexit = False


class Memory:
    """Arrays that C points to, kept until there is another of the same key."""

    def __init__(self) -> None:
        self._kept: dict[object, object] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def array(self, key: object, values: npt.ArrayLike, dtype: type) -> int:
        """The address of an array."""
        array: npt.NDArray[Any] = np.ascontiguousarray(values, dtype=dtype)
        self._kept[key] = array
        return array.ctypes.data

    def floats(self, key: object, values: npt.ArrayLike) -> int:
        """The address of an array of doubles."""
        return self.array(key, values, np.float64)

    def ints(self, key: object, values: npt.ArrayLike) -> int:
        """The address of an array of whole numbers of 64 bits."""
        return self.array(key, values, np.int64)

    def structures(self, key: object, kind: Any, values: Sequence[Any]) -> int:
        """The address of an array of structures."""
        self._kept[key] = array = (kind * max(1, len(values)))(*values)
        return ctypes.addressof(array)
