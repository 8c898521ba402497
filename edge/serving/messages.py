"""The Open Inference Protocol's gRPC messages to requests and back. Pure, but for being protobuf.

Values come either in `raw_input_contents`, one entry for each input in order, or in each input's typed `contents`;
never both. FP16 has no typed field and goes raw. Answers always go raw, which every client reads.
"""

import math
from typing import Any

import numpy as np

from tidegate.model.errors import Refused
from tidegate.oip import open_inference_pb2 as oip
from tidegate.wire.inference import InferReply, InferRequest, RequestedOutput
from tidegate.wire.tensors import Array, Tensor, dtype_of, from_raw, object_array, shape_of, to_raw

_CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


def request_of(message: oip.ModelInferRequest) -> InferRequest:
    """The message as a request. Refused names what is wrong."""
    raws = message.raw_input_contents
    if raws and len(raws) != len(message.inputs):
        raise Refused(
            "not one for each input",
            field="raw_input_contents",
            found=len(raws),
            wanted=f"{len(message.inputs)} or none",
        )
    tensors: list[Tensor] = []
    seen: set[str] = set()
    for index, entry in enumerate(message.inputs):
        path = f"inputs[{index}]"
        if entry.name in seen:
            raise Refused("named twice", field=f"{path}.name", found=entry.name, wanted="each tensor once")
        seen.add(entry.name)
        dtype_of(entry.datatype, f"{path}.datatype")
        shape = shape_of(list(entry.shape), f"{path}.shape")
        if raws:
            if entry.HasField("contents"):
                raise Refused("contents beside raw_input_contents", field=f"{path}.contents", wanted="one of the two")
            array = from_raw(memoryview(raws[index]), entry.datatype, shape, f"raw_input_contents[{index}]")
        else:
            array = _typed(entry.contents, entry.datatype, shape, f"{path}.contents")
        tensors.append(Tensor(entry.name, array))
    outputs = tuple(RequestedOutput(output.name) for output in message.outputs)
    return InferRequest(tuple(tensors), message.id, outputs)


def message_of(reply: InferReply) -> oip.ModelInferResponse:
    """The answer as a message, its tensors raw."""
    return oip.ModelInferResponse(
        model_name=reply.model_name,
        model_version=reply.model_version,
        id=reply.id,
        outputs=[
            oip.ModelInferResponse.InferOutputTensor(
                name=tensor.name, datatype=tensor.datatype, shape=tensor.array.shape
            )
            for tensor in reply.outputs
        ],
        raw_output_contents=[bytes(to_raw(tensor)) for tensor in reply.outputs],
    )


def _typed(contents: oip.InferTensorContents, datatype: str, shape: tuple[int, ...], field: str) -> Array:
    name = _CONTENTS.get(datatype)
    if name is None:
        raise Refused("has no typed values", field=field, found=datatype, wanted="raw_input_contents")
    values: Any = getattr(contents, name)
    if len(values) != math.prod(shape):
        raise Refused(
            "not as many values as the shape says",
            field=f"{field}.{name}",
            found=f"{len(values)} values",
            wanted=f"{math.prod(shape)} for {list(shape)}",
        )
    if datatype == "BYTES":
        return object_array(values, shape, field)
    try:
        return np.array(values, dtype_of(datatype, field)).reshape(shape)
    except OverflowError as error:
        raise Refused(
            "a value out of range", field=f"{field}.{name}", found=str(error)[:80], wanted=datatype
        ) from error
