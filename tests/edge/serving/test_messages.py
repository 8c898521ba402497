"""The gRPC messages: raw and typed values make the same request, and answers go back raw."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge.serving.messages import message_of, request_of
from tidegate.model.errors import Refused
from tidegate.oip import open_inference_pb2 as oip
from tidegate.wire.inference import InferReply
from tidegate.wire.tensors import NUMPY, Tensor, to_raw

TYPED = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT64": "int64_contents",
    "UINT16": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
}


def one(datatype: str, shape: list[int], raw: bytes | None = None, **contents: object) -> oip.ModelInferRequest:
    tensor = oip.ModelInferRequest.InferInputTensor(name="x", datatype=datatype, shape=shape)
    if contents:
        tensor.contents.CopyFrom(oip.InferTensorContents(**contents))
    return oip.ModelInferRequest(id="q", inputs=[tensor], raw_input_contents=[] if raw is None else [raw])


@given(
    array=st.sampled_from(sorted(TYPED)).flatmap(
        lambda name: hnp.arrays(NUMPY[name], hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
    )
)
def test_raw_and_typed_values_make_the_same_request(array: np.ndarray) -> None:
    tensor = Tensor("x", array)
    raw = request_of(one(tensor.datatype, list(array.shape), bytes(to_raw(tensor))))
    values = {TYPED[tensor.datatype]: array.reshape(-1).tolist()}
    typed = request_of(one(tensor.datatype, list(array.shape), **values))
    for request in (raw, typed):
        assert request.inputs[0].array.dtype == array.dtype
        assert np.array_equal(request.inputs[0].array, array, equal_nan=array.dtype.kind == "f")


def test_an_answer_goes_back_raw() -> None:
    texts = np.array([b"a", b"bc"], object)
    message = message_of(InferReply("m", (Tensor("y", np.float16([1, 2])), Tensor("t", texts)), "3", "q"))
    assert [output.datatype for output in message.outputs] == ["FP16", "BYTES"]
    assert message.raw_output_contents[0] == np.float16([1, 2]).tobytes()
    assert message.raw_output_contents[1] == b"\x01\0\0\0a\x02\0\0\0bc"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (one("FP23", [1], b""), ["inputs[0].datatype", "FP23"]),
        (one("FP32", [-1], b""), ["inputs[0].shape", "-1"]),
        (one("FP32", [2], b"1234"), ["raw_input_contents[0]", "4 bytes", "8 bytes"]),
        (one("FP32", [2], fp32_contents=[1]), ["inputs[0].contents.fp32_contents", "1 values", "2 for [2]"]),
        (one("FP32", [2], fp64_contents=[1, 2]), ["inputs[0].contents.fp32_contents", "0 values"]),
        (one("FP16", [1], fp32_contents=[1]), ["inputs[0].contents", "FP16", "raw_input_contents"]),
        (one("INT8", [1], int_contents=[128]), ["out of range", "INT8"]),
        (one("BYTES", [2], bytes_contents=[b"a"]), ["inputs[0].contents.bytes_contents", "1 values", "2 for [2]"]),
        (one("BYTES", [1], b"\x05\0\0\0abc"), ["raw_input_contents[0]", "runs over the end"]),
        (one("FP32", [1], b"1234", fp32_contents=[1]), ["contents beside raw_input_contents"]),
    ],
)
def test_a_mistake_is_named(message: oip.ModelInferRequest, words: list[str]) -> None:
    with pytest.raises(Refused) as caught:
        request_of(message)
    for word in words:
        assert word in str(caught.value)


def test_each_input_once_and_one_raw_entry_for_each() -> None:
    message = one("FP32", [1], b"1234")
    message.inputs.add().CopyFrom(message.inputs[0])
    with pytest.raises(Refused, match="not one for each input"):
        request_of(message)
    message.raw_input_contents.append(b"1234")
    with pytest.raises(Refused, match=r"inputs\[1\].name: named twice"):
        request_of(message)
