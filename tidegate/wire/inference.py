"""The Open Inference Protocol over HTTP: requests and replies as JSON, and as JSON followed by raw tensors.

A body is a JSON object, or, with the binary tensor extension, that object and right behind it the bytes of those
tensors whose `parameters.binary_data_size` says so, in the order in which the object names them. How long the JSON part
is stands in the header `Inference-Header-Content-Length`; without that header the whole body is JSON.

Pure: bytes in, values out. Both ends use it, the model server and the SDK. Everything wrong raises `Refused` with the
path of the field (`inputs[0].shape`), what stood there and what would be right.

Limits: the caller bounds the body; here a tensor has at most 32 dimensions and a request at most 1,024 tensors. JSON's
numbers are Python's: `NaN`, `Infinity` and `-Infinity` are read and written, which strict JSON readers refuse.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tidegate.model.errors import Refused
from tidegate.wire.tensors import Tensor, dtype_of, from_raw, from_values, shape_of, to_raw, to_values

HEADER_LENGTH = "Inference-Header-Content-Length"
MAX_TENSORS = 1024

Parameters: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RequestedOutput:
    """An output that the client names. `binary` None leaves it to the request's `binary_data_output`."""

    name: str
    binary: bool | None = None


@dataclass(frozen=True, slots=True)
class InferRequest:
    """What a client asks of a model. No `outputs` means all of them."""

    inputs: tuple[Tensor, ...]
    id: str = ""
    outputs: tuple[RequestedOutput, ...] = ()
    parameters: Parameters = field(default_factory=dict)

    def wants_binary(self, output: str) -> bool:
        """Whether that output goes back as raw bytes."""
        for requested in self.outputs:
            if requested.name == output and requested.binary is not None:
                return requested.binary
        return self.parameters.get("binary_data_output") is True


@dataclass(frozen=True, slots=True)
class InferReply:
    """What the model answered."""

    model_name: str
    outputs: tuple[Tensor, ...]
    model_version: str = ""
    id: str = ""
    parameters: Parameters = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        """The array of one output. KeyError when there is none of that name."""
        for output in self.outputs:
            if output.name == name:
                return output.array
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Body:
    """An encoded body. `header_length` goes into `Inference-Header-Content-Length`; None: it is all JSON, no header."""

    data: bytes
    header_length: int | None = None

    @property
    def content_type(self) -> str:
        return "application/json" if self.header_length is None else "application/octet-stream"


def encode_request(request: InferRequest, *, binary: bool = True) -> Body:
    """A request as a body. `binary` sends the inputs raw and, where an output does not say otherwise, asks the same."""
    header: dict[str, Any] = {}
    if request.id:
        header["id"] = request.id
    parameters = dict(request.parameters)
    if binary:
        parameters.setdefault("binary_data_output", True)
    if parameters:
        header["parameters"] = parameters
    tensors, tail = _encode_tensors(request.inputs, (lambda _: True) if binary else (lambda _: False), "inputs")
    header["inputs"] = tensors
    if request.outputs:
        header["outputs"] = [
            {"name": output.name}
            if output.binary is None
            else {"name": output.name, "parameters": {"binary_data": output.binary}}
            for output in request.outputs
        ]
    return _join(header, tail)


def decode_request(data: bytes | memoryview, header_length: int | None = None) -> InferRequest:
    """The inverse. Refused names what is wrong."""
    header, tail = _split(data, header_length)
    outputs = tuple(
        _requested(found, f"outputs[{index}]") for index, found in enumerate(_list(header, "outputs", optional=True))
    )
    return InferRequest(
        inputs=_decode_tensors(_list(header, "inputs"), tail, "inputs"),
        id=_text(header, "id", ""),
        outputs=outputs,
        parameters=_parameters(header, ""),
    )


def encode_reply(reply: InferReply, binary: Callable[[str], bool]) -> Body:
    """A reply as a body; `binary` says of each output whether it goes raw."""
    header: dict[str, Any] = {"model_name": reply.model_name}
    if reply.model_version:
        header["model_version"] = reply.model_version
    if reply.id:
        header["id"] = reply.id
    if reply.parameters:
        header["parameters"] = dict(reply.parameters)
    tensors, tail = _encode_tensors(reply.outputs, binary, "outputs")
    header["outputs"] = tensors
    return _join(header, tail)


def decode_reply(data: bytes | memoryview, header_length: int | None = None) -> InferReply:
    """The inverse. Refused names what is wrong."""
    header, tail = _split(data, header_length)
    return InferReply(
        model_name=_text(header, "model_name", ""),
        model_version=_text(header, "model_version", ""),
        id=_text(header, "id", ""),
        outputs=_decode_tensors(_list(header, "outputs"), tail, "outputs"),
        parameters=_parameters(header, ""),
    )


def header_length_of(value: str | bytes | None) -> int | None:
    """The header's value as a number; None where the header is missing. Refused when it is no number."""
    if value is None:
        return None
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise Refused("not a length", field=HEADER_LENGTH, found=text[:40], wanted="the bytes of the JSON part")
    return int(text)


def _encode_tensors(
    tensors: Collection[Tensor], binary: Callable[[str], bool], where: str
) -> tuple[list[dict[str, Any]], list[bytes | memoryview]]:
    named: list[dict[str, Any]] = []
    tail: list[bytes | memoryview] = []
    for index, tensor in enumerate(tensors):
        entry: dict[str, Any] = {
            "name": tensor.name,
            "datatype": tensor.datatype,
            "shape": list(tensor.array.shape),
        }
        if binary(tensor.name):
            raw = to_raw(tensor)
            entry["parameters"] = {"binary_data_size": len(raw)}
            tail.append(raw)
        else:
            entry["data"] = to_values(tensor, f"{where}[{index}].data")
        named.append(entry)
    return named, tail


def _decode_tensors(entries: list[Any], tail: memoryview, where: str) -> tuple[Tensor, ...]:
    tensors: list[Tensor] = []
    seen: set[str] = set()
    offset = 0
    for index, entry in enumerate(entries):
        path = f"{where}[{index}]"
        if not isinstance(entry, dict):
            raise Refused("not a tensor", field=path, found=type(entry).__name__, wanted="an object")
        name = _text(entry, "name", None, path)
        if name in seen:
            raise Refused("named twice", field=f"{path}.name", found=name, wanted="each tensor once")
        seen.add(name)
        if "shape" not in entry or "datatype" not in entry:
            lacking = "shape" if "shape" not in entry else "datatype"
            raise Refused("missing", field=f"{path}.{lacking}", wanted="name, shape, datatype and data")
        shape = shape_of(entry["shape"], f"{path}.shape")
        dtype_of(entry["datatype"], f"{path}.datatype")
        size = _parameters(entry, path).get("binary_data_size")
        if size is None:
            if "data" not in entry:
                raise Refused("missing", field=f"{path}.data", wanted="data, or parameters.binary_data_size")
            array = from_values(entry["data"], entry["datatype"], shape, f"{path}.data")
        else:
            if "data" in entry:
                raise Refused("data beside binary_data_size", field=f"{path}.data", wanted="one of the two")
            where_size = f"{path}.parameters.binary_data_size"
            if type(size) is not int or size < 0:
                raise Refused("not a size", field=where_size, found=size, wanted="bytes")
            if offset + size > len(tail):
                raise Refused(
                    "more bytes than the body has", field=where_size, found=size, wanted=f"at most {len(tail) - offset}"
                )
            array = from_raw(tail[offset : offset + size], entry["datatype"], shape, path)
            offset += size
        tensors.append(Tensor(name, array))
    if offset != len(tail):
        raise Refused(
            "bytes that no tensor claims",
            field=where,
            found=f"{len(tail)} bytes",
            wanted=f"{offset} bytes behind the JSON",
        )
    return tuple(tensors)


def _split(data: bytes | memoryview, header_length: int | None) -> tuple[dict[str, Any], memoryview]:
    view = memoryview(data)
    length = len(view) if header_length is None else header_length
    if not 0 <= length <= len(view):
        raise Refused("longer than the body", field=HEADER_LENGTH, found=length, wanted=f"at most {len(view)}")
    try:
        header = json.loads(bytes(view[:length]))
    except (ValueError, RecursionError) as error:
        raise Refused("not JSON", field="body", found=str(error)[:120], wanted="a JSON object") from error
    if not isinstance(header, dict):
        raise Refused("not an object", field="body", found=type(header).__name__, wanted="a JSON object")
    return header, view[length:]


def _join(header: dict[str, Any], tail: list[bytes | memoryview]) -> Body:
    text = json.dumps(header, separators=(",", ":")).encode()
    return Body(b"".join((text, *tail)), len(text)) if tail else Body(text)


def _requested(entry: object, path: str) -> RequestedOutput:
    if not isinstance(entry, dict):
        raise Refused("not an output", field=path, found=type(entry).__name__, wanted="an object with a name")
    parameters = _parameters(entry, path)
    if parameters.get("classification"):
        raise Refused("not offered", field=f"{path}.parameters.classification", wanted="the output itself")
    binary = parameters.get("binary_data")
    if binary is not None and not isinstance(binary, bool):
        raise Refused("not true or false", field=f"{path}.parameters.binary_data", found=binary, wanted="a boolean")
    return RequestedOutput(_text(entry, "name", None, path), binary)


def _list(header: Mapping[str, Any], name: str, *, optional: bool = False) -> list[Any]:
    if name not in header:
        if optional:
            return []
        raise Refused("missing", field=name, wanted="a list of tensors")
    value = header[name]
    if not isinstance(value, list) or len(value) > MAX_TENSORS:
        raise Refused(
            "not a list of tensors", field=name, found=type(value).__name__, wanted=f"a list of at most {MAX_TENSORS}"
        )
    return value


def _text(entry: Mapping[str, Any], name: str, default: str | None, path: str = "") -> str:
    value = entry.get(name, default)
    if isinstance(value, str):
        return value
    where = f"{path}.{name}" if path else name
    raise Refused("missing" if value is None else "not text", field=where, found=value, wanted="a string")


def _parameters(entry: Mapping[str, Any], path: str) -> Parameters:
    value = entry.get("parameters", {})
    if isinstance(value, dict):
        return value
    where = f"{path}.parameters" if path else "parameters"
    raise Refused("not an object", field=where, found=type(value).__name__, wanted="an object")
