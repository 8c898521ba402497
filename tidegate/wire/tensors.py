"""Tensors of the Open Inference Protocol: twelve datatypes, NumPy arrays, and the bytes that stand for them.

Raw bytes are little-endian and row-major. `BYTES` elements are each a u32 length and that many bytes; in NumPy they are
an object array of `bytes`. `BF16` is refused: NumPy has no such type.

Nothing here copies a numeric tensor: an array read from bytes is a read-only view of them, and writing one gives back a
view where the array already is as the wire wants it. Only bytes that start at an odd address are copied, since native
code may not read them there.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidegate.model.errors import Refused

Array = NDArray[Any]

NUMPY: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BYTES": np.dtype("O"),
}
"""Datatype of the protocol to type of NumPy."""

_NAMES = {dtype: name for name, dtype in NUMPY.items()}
_LENGTH = struct.Struct("<I")
MAX_DIMENSIONS = 32
MAX_ELEMENTS = 2**40


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A named array. Its datatype and shape are the array's."""

    name: str
    array: Array

    @property
    def datatype(self) -> str:
        return datatype_of(self.array, self.name)


def datatype_of(array: Array, name: str = "") -> str:
    """The protocol's name for an array's type; text of any kind is BYTES. Refused for what it cannot carry."""
    known = _NAMES.get(array.dtype)
    if known is not None:
        return known
    if array.dtype.kind in "SU":
        return "BYTES"
    known = _NAMES.get(array.dtype.newbyteorder("<"))
    if known is None:
        raise Refused(
            "no such datatype in the protocol", field=name, found=str(array.dtype), wanted="one of " + ", ".join(NUMPY)
        )
    return known


def dtype_of(datatype: object, field: str) -> np.dtype[Any]:
    """The NumPy type for a datatype named in a request. Refused, with the nearest one, when there is none."""
    found = NUMPY.get(datatype) if isinstance(datatype, str) else None
    if found is None:
        near = get_close_matches(str(datatype).upper(), NUMPY, 1)
        hint = f"{near[0]} (did you mean that?)" if near else "one of " + ", ".join(NUMPY)
        raise Refused("unknown datatype", field=field, found=datatype, wanted=hint)
    return found


def shape_of(shape: object, field: str) -> tuple[int, ...]:
    """A shape named in a request: whole numbers, none negative. Refused otherwise."""
    if not isinstance(shape, list | tuple) or len(shape) > MAX_DIMENSIONS:
        raise Refused("not a shape", field=field, found=shape, wanted=f"a list of at most {MAX_DIMENSIONS} sizes")
    for size in shape:
        if type(size) is not int or size < 0:
            raise Refused("not a size", field=field, found=size, wanted="a whole number, 0 or more")
    if math.prod(max(size, 1) for size in shape) > MAX_ELEMENTS:  # beside a 0 too: NumPy counts the others all the same
        raise Refused("beyond all sizes", field=field, found=list(shape), wanted=f"at most {MAX_ELEMENTS} elements")
    return tuple(shape)


def from_raw(raw: memoryview, datatype: str, shape: tuple[int, ...], field: str) -> Array:
    """The array that raw bytes stand for; a view where that is possible. Refused when the length is not the shape's."""
    dtype = NUMPY[datatype]
    if dtype.kind == "O":
        return _from_prefixed(raw, shape, field)
    wanted = math.prod(shape) * dtype.itemsize
    if len(raw) != wanted:
        raise Refused(
            "the data is not as long as its shape",
            field=field,
            found=f"{len(raw)} bytes",
            wanted=f"{wanted} bytes for {datatype} {list(shape)}",
        )
    array = np.frombuffer(raw, dtype).reshape(shape)
    return array if array.flags.aligned else array.copy()


def to_raw(tensor: Tensor) -> bytes | memoryview:
    """The bytes that stand for a tensor; a view of the array where that is possible."""
    datatype = tensor.datatype
    if datatype == "BYTES":
        return b"".join(_LENGTH.pack(len(piece)) + piece for piece in texts_of(tensor))
    array = np.ascontiguousarray(tensor.array, NUMPY[datatype])
    return array.reshape(-1).view(np.uint8).data


def from_values(values: object, datatype: str, shape: tuple[int, ...], field: str) -> Array:
    """The array that a list of values, flat or nested as the shape is, stands for. Refused where one would not fit."""
    dtype = NUMPY[datatype]
    if datatype == "BYTES":
        return _object_array(_encoded(_flat(values, field), field), shape, field)
    try:
        found = _unrounded(np.array(values), values) if dtype.kind == "u" else np.array(values)
    except (ValueError, OverflowError) as error:
        raise Refused("the values do not make a tensor", field=field, found=str(error)[:80], wanted=datatype) from error
    if found.size != math.prod(shape):
        raise Refused(
            "not as many values as the shape says",
            field=field,
            found=f"{found.size} values",
            wanted=f"{math.prod(shape)} for {list(shape)}",
        )
    if found.ndim != 1 and found.shape != shape:
        raise Refused("the values are nested otherwise", field=field, found=list(found.shape), wanted=f"{list(shape)}")
    if found.size and found.dtype.kind not in {"b": "b", "u": "ui", "i": "ui", "f": "uif"}[dtype.kind]:
        raise Refused("values of another type", field=field, found=_sample(found), wanted=datatype)
    with np.errstate(over="ignore"):
        array = found.astype(dtype)
    bent = (array != found) if dtype.kind in "ui" else np.isinf(array) & ~np.isinf(found)
    if bent.any():
        raise Refused("a value out of range", field=field, found=found[bent].tolist()[0], wanted=datatype)
    return array.reshape(shape)


def _unrounded(found: Array, values: object) -> Array:
    """NumPy makes floats of whole numbers where some fit int64 and others only uint64; here they stay whole."""
    if found.dtype.kind != "f":
        return found
    exact = np.array(values, object)
    fits = all(type(value) is int and 0 <= value < 2**64 for value in exact.flat)
    return exact.astype(np.uint64) if fits and exact.size else found


def to_values(tensor: Tensor, field: str) -> list[Any]:
    """A tensor as one flat list, for JSON. Refused for BYTES that are not text: those want the binary form."""
    if tensor.datatype != "BYTES":
        values: list[Any] = tensor.array.reshape(-1).tolist()
        return values
    try:
        return [piece.decode() for piece in texts_of(tensor)]
    except UnicodeDecodeError as error:
        raise Refused("not UTF-8 text", field=field, found=str(error)[:80], wanted="binary data") from error


def texts_of(tensor: Tensor) -> list[bytes]:
    """The elements of a BYTES tensor, in order."""
    return _encoded(tensor.array.reshape(-1).tolist(), tensor.name)


def object_array(pieces: Sequence[bytes], shape: tuple[int, ...], field: str) -> Array:
    """A BYTES tensor's array from its elements. Refused when there are not as many as the shape says."""
    return _object_array(list(pieces), shape, field)


def _from_prefixed(raw: memoryview, shape: tuple[int, ...], field: str) -> Array:
    pieces: list[bytes] = []
    offset = 0
    while offset < len(raw):
        start = offset + _LENGTH.size
        end = start + _LENGTH.unpack_from(raw, offset)[0] if start <= len(raw) else start
        if end > len(raw):
            raise Refused(
                "an element runs over the end",
                field=field,
                found=f"{len(raw) - offset} bytes left",
                wanted=f"{end - offset} bytes for element {len(pieces)}",
            )
        pieces.append(bytes(raw[start:end]))
        offset = end
    return _object_array(pieces, shape, field)


def _object_array(pieces: list[bytes], shape: tuple[int, ...], field: str) -> Array:
    wanted = math.prod(shape)
    if len(pieces) != wanted:
        raise Refused(
            "not as many elements as the shape says",
            field=field,
            found=f"{len(pieces)} elements",
            wanted=f"{wanted} for BYTES {list(shape)}",
        )
    array = np.empty(wanted, np.object_)
    array[:] = pieces
    return array.reshape(shape)


def _flat(values: object, field: str) -> list[object]:
    """The leaves of nested lists, left to right; without recursion, since a client chose the depth."""
    if not isinstance(values, list):
        raise Refused("not a list of values", field=field, found=type(values).__name__, wanted="a list")
    leaves: list[object] = []
    waiting: list[object] = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(reversed(value))
        else:
            leaves.append(value)
    return leaves


def _encoded(values: list[Any], field: str) -> list[bytes]:
    pieces: list[bytes] = []
    for value in values:
        if isinstance(value, bytes):
            pieces.append(value)
        elif isinstance(value, str):
            try:
                pieces.append(value.encode())
            except UnicodeEncodeError as error:
                raise Refused("not text", field=field, found=ascii(value[:40]), wanted="UTF-8 strings") from error
        else:
            raise Refused("not text", field=field, found=value, wanted="BYTES: strings")
    return pieces


def _sample(array: Array) -> object:
    first: object = array.reshape(-1)[0]
    return first.item() if isinstance(first, np.generic) else first
