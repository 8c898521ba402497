"""The codec of the Open Inference Protocol: what goes in comes out, and what is wrong is named."""

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tidegate.model.errors import Refused
from tidegate.wire.inference import (
    InferReply,
    InferRequest,
    RequestedOutput,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
    header_length_of,
)
from tidegate.wire.tensors import NUMPY, Tensor, shape_of

NUMERIC = [dtype for name, dtype in NUMPY.items() if name != "BYTES"]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
NUMBERS = st.sampled_from(NUMERIC).flatmap(lambda dtype: hnp.arrays(dtype, SHAPES))


@st.composite
def texts(draw: st.DrawFn) -> np.ndarray:
    shape = draw(SHAPES)
    array = np.empty(int(np.prod(shape)), object)
    for index in range(array.size):
        array[index] = draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=6)).encode()
    return array.reshape(shape)


def same(left: np.ndarray, right: np.ndarray) -> bool:
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    if left.dtype == object:
        return left.tolist() == right.tolist()
    return bool(np.array_equal(left, right, equal_nan=left.dtype.kind == "f"))


@given(arrays=st.lists(NUMBERS | texts(), min_size=1, max_size=3), binary=st.booleans(), request_id=st.text(max_size=8))
def test_a_request_comes_back_as_it_went(arrays: list[np.ndarray], binary: bool, request_id: str) -> None:
    asked = InferRequest(
        inputs=tuple(Tensor(f"in{index}", array) for index, array in enumerate(arrays)),
        id=request_id.encode("utf-8", "ignore").decode(),
        outputs=(RequestedOutput("scores", binary=True), RequestedOutput("label")),
    )
    body = encode_request(asked, binary=binary)
    heard = decode_request(body.data, body.header_length)
    assert heard.id == asked.id
    assert heard.outputs == asked.outputs
    assert [tensor.name for tensor in heard.inputs] == [tensor.name for tensor in asked.inputs]
    assert all(same(a.array, b.array) for a, b in zip(asked.inputs, heard.inputs, strict=True))
    assert heard.wants_binary("scores")
    assert heard.wants_binary("label") is binary


@example(arrays=[np.array([2**63, 0], np.uint64)], raw=set())
@given(arrays=st.lists(NUMBERS | texts(), min_size=1, max_size=3), raw=st.sets(st.integers(0, 2)))
def test_a_reply_may_mix_raw_and_json(arrays: list[np.ndarray], raw: set[int]) -> None:
    said = InferReply("digits", tuple(Tensor(str(index), array) for index, array in enumerate(arrays)), "3", "q-1")
    body = encode_reply(said, binary=lambda name: int(name) in raw)
    heard = decode_reply(body.data, body.header_length)
    assert (heard.model_name, heard.model_version, heard.id) == ("digits", "3", "q-1")
    assert all(same(said[name], heard[name]) for name in map(str, range(len(arrays))))
    assert (body.header_length is None) is not any(index < len(arrays) for index in raw)


@given(data=st.binary(max_size=64), length=st.none() | st.integers(-1, 80))
def test_any_bytes_are_either_a_request_or_refused(data: bytes, length: int | None) -> None:
    with pytest.raises(Refused):
        decode_request(data, length)


@given(cut=st.integers(min_value=1, max_value=60))
def test_a_body_cut_short_is_refused(cut: int) -> None:
    body = encode_request(InferRequest((Tensor("x", np.arange(12, dtype=np.float32)),)))
    with pytest.raises(Refused):
        decode_request(body.data[:-cut], body.header_length)


def one_input(**changes: object) -> bytes:
    entry = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2], **changes}
    return json.dumps({"inputs": [{key: value for key, value in entry.items() if value is not None}]}).encode()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[]", ["body", "'list'", "a JSON object"]),
        (b"{}", ["inputs", "missing"]),
        (b'{"inputs": [7]}', ["inputs[0]", "'int'", "an object"]),
        (one_input(name=None), ["inputs[0].name", "missing"]),
        (one_input(datatype="fp23"), ["inputs[0].datatype", "'fp23'", "did you mean"]),
        (one_input(shape=[1, -2]), ["inputs[0].shape", "-2", "0 or more"]),
        (one_input(shape=[1, True]), ["inputs[0].shape", "True"]),
        (one_input(shape=None), ["inputs[0].shape", "missing"]),
        (one_input(data=None), ["inputs[0].data", "missing", "binary_data_size"]),
        (one_input(data=[1, 2, 3]), ["inputs[0].data", "'3 values'", "2 for [1, 2]"]),
        (one_input(data=[[1], [2]]), ["inputs[0].data", "[2, 1]", "[1, 2]"]),
        (one_input(data=[[1, 2], [3]]), ["inputs[0].data", "do not make a tensor"]),
        (one_input(data=["a", "b"]), ["inputs[0].data", "another type", "FP32"]),
        (one_input(data=[1, 1e60]), ["inputs[0].data", "out of range", "1e+60"]),
        (one_input(datatype="UINT8", data=[1, 256]), ["inputs[0].data", "out of range", "256", "UINT8"]),
        (one_input(datatype="INT64", data=[1, 2.5]), ["inputs[0].data", "another type", "INT64"]),
        (one_input(datatype="BOOL", data=[1, 0]), ["inputs[0].data", "another type", "BOOL"]),
        (one_input(datatype="BYTES", data=["a", 7]), ["inputs[0].data", "not text", "7"]),
        (one_input(datatype="BYTES", data=["a", "\ud800"]), ["inputs[0].data", "UTF-8"]),
        (one_input(parameters={"binary_data_size": 8}), ["inputs[0].data", "one of the two"]),
        (one_input(data=None, parameters={"binary_data_size": 8}), ["binary_data_size", "8", "at most 0"]),
        (one_input(data=None, parameters=[]), ["inputs[0].parameters", "an object"]),
        (b'{"inputs": [], "outputs": [{"name": "y", "parameters": {"classification": 3}}]}', ["classification"]),
        (b"[" * 100_000, ["body", "not JSON"]),
    ],
)
def test_a_mistake_is_named_with_what_was_found_and_wanted(body: bytes, words: list[str]) -> None:
    with pytest.raises(Refused) as caught:
        decode_request(body)
    for word in words:
        assert word in str(caught.value)


def test_a_tensor_may_not_be_named_twice() -> None:
    tensor = Tensor("x", np.zeros(1, np.float32))
    body = encode_request(InferRequest((tensor, tensor)))
    with pytest.raises(Refused, match=r"inputs\[1\].name: named twice"):
        decode_request(body.data, body.header_length)


def test_bytes_that_no_tensor_claims_are_refused() -> None:
    body = encode_request(InferRequest((Tensor("x", np.zeros(1, np.float32)),)))
    with pytest.raises(Refused, match="no tensor claims"):
        decode_request(body.data + b"more", body.header_length)


def test_a_raw_tensor_is_a_view_of_the_body_unless_it_starts_at_an_odd_address() -> None:
    pixels = np.arange(6, dtype=np.uint8)
    body = encode_request(InferRequest((Tensor("x", pixels),)))
    heard = decode_request(body.data, body.header_length).inputs[0].array
    assert not heard.flags.owndata
    floats = np.arange(6, dtype=np.float64)
    for pad in range(8):
        body = encode_request(InferRequest((Tensor("x" * (pad + 1), floats),)))
        heard = decode_request(body.data, body.header_length).inputs[0].array
        assert heard.flags.aligned
        assert np.array_equal(heard, floats)


@pytest.mark.parametrize("value", ["", "-1", "+4", "1e3", "４", "9" * 13])
def test_the_length_header_is_a_plain_number(value: str) -> None:
    with pytest.raises(Refused, match="Inference-Header-Content-Length"):
        header_length_of(value)


def test_the_length_header_may_be_missing() -> None:
    assert header_length_of(None) is None
    assert header_length_of(b"17") == 17


def test_what_the_protocol_cannot_carry_is_refused_by_name() -> None:
    with pytest.raises(Refused, match="when: no such datatype"):
        encode_request(InferRequest((Tensor("when", np.zeros(1, "datetime64[s]")),)))
    with pytest.raises(Refused, match="wanted binary data"):
        encode_request(InferRequest((Tensor("x", np.array([b"\xff"], object)),)), binary=False)


@pytest.mark.parametrize("shape", [(0, 2**62, 4), (2**63,), (2**20, 2**21)])
def test_a_shape_beyond_all_sizes_is_refused_even_of_nothing(shape):
    """NumPy counts the sizes beside a 0 as well, and raises its own error."""
    with pytest.raises(Refused, match="beyond all sizes"):
        shape_of(list(shape), "inputs[0].shape")
