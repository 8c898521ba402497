"""A model file, verified, and its ONNX Runtime session.

The file is read once, hashed while it is read, and the session is made from those very bytes: what is served is what
was verified, whatever happens to the file meanwhile. A digest that differs refuses the load. Weights that lie in
files beside the model are outside the digest and so are not found. Read whole, so a model is at most 2 GiB
(protobuf's own bound).

`warm_up` runs the model on made-up inputs of its own shapes (every open size 1; ordinary random numbers, zeros for
whole numbers, empty texts): the first runs allocate and tune, the later ones tell the service time. A model that
cannot run on those is refused: better now than at the first customer.
"""

import hashlib
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from edge.serving.config import ModelSource
from edge.serving.prediction import ModelIdentity
from edge.serving.signature import ANY, Signature, TensorSpec
from edge.serving.trace import parse
from tidegate.model.errors import Refused, Unavailable
from tidegate.wire.tensors import MAX_DIMENSIONS, NUMPY, Array, Tensor

LARGEST_MODEL = 2 * 2**30
LARGEST_INPUT = 2**26
"""Bytes of the least that a model takes, where nobody says how much a request may carry."""
MADE_UP = 4_096
"""Random numbers that are drawn; larger inputs repeat them."""
INLINE_BELOW_NS = 1_000_000
"""A model this fast runs on the event loop: handing it to a thread would cost more than it takes."""

_CHUNK = 2**20
_CUDA = "CUDAExecutionProvider"
_CPU = "CPUExecutionProvider"
_DATATYPES = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}
_ORT_ERRORS: tuple[type[Exception], ...] = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
    ort_errors.EPFail,
    ValueError,
)

log = logging.getLogger(__name__)


class DigestMismatch(Refused):
    """The model file is not the one that was asked for."""


@dataclass(frozen=True, slots=True)
class ServiceTime:
    """Of one run, measured in the warm-up; zeros where there was none."""

    p50_ns: int = 0
    p99_ns: int = 0
    runs: int = 0


class LoadedModel:
    """A model that can answer. `run` is safe from any thread."""

    def __init__(
        self, identity: ModelIdentity, signature: Signature, session: Any, device: str, source: ModelSource
    ) -> None:
        self.identity = identity
        self.signature = signature
        self.device = device
        """`cpu`, or the GPU's name."""
        self.source = source
        self.service_time = ServiceTime()
        self._session = session
        self._texts = {spec.name for spec in signature.inputs if spec.datatype == "BYTES"}

    @property
    def inline(self) -> bool:
        """Whether it is fast enough to run where the request is read."""
        return 0 < self.service_time.p99_ns < INLINE_BELOW_NS

    def run(self, feeds: Mapping[str, Array], outputs: Sequence[str]) -> tuple[Tensor, ...]:
        """The named outputs. Refused where the model fails on these inputs, Unavailable where memory ran out."""
        if self._texts:
            feeds = {name: _decoded(array, name) if name in self._texts else array for name, array in feeds.items()}
        try:
            arrays: list[Array] = self._session.run(outputs, feeds)
        except _ORT_ERRORS as error:
            reason = str(error).split("\n", 1)[0][:300]
            if "allocate memory" in reason:
                raise Unavailable(f"the model ran out of memory: {reason}", retry_after_ms=1000) from error
            raise Refused(f"the model failed on these inputs: {reason}", field="inputs") from error
        return tuple(Tensor(name, _encoded(array)) for name, array in zip(outputs, arrays, strict=True))

    def warm_up(self, runs: int, monotonic_ns: Callable[[], int], most_bytes: int = LARGEST_INPUT) -> None:
        """Run so often on made-up inputs and keep the service time of the later nine tenths.

        Refused where an input is over `most_bytes` at its smallest: no request could carry it.
        """
        if not runs:
            return
        feeds = {spec.name: _made_up(spec, most_bytes) for spec in self.signature.inputs}
        outputs = [spec.name for spec in self.signature.outputs]
        times: list[int] = []
        for _ in range(runs):
            before = monotonic_ns()
            self.run(feeds, outputs)
            times.append(monotonic_ns() - before)
        settled = sorted(times[len(times) // 10 :])
        self.service_time = ServiceTime(settled[len(settled) // 2], settled[len(settled) * 99 // 100], len(settled))


def verified(path: Path, digest: str) -> bytes:
    """The file's bytes. DigestMismatch when they are not the ones asked for, Unavailable when they cannot be read."""
    hashed = hashlib.sha256()
    pieces: list[bytes] = []
    size = 0
    try:
        with path.open("rb", buffering=0) as file:
            while piece := file.read(_CHUNK):
                hashed.update(piece)
                pieces.append(piece)
                size += len(piece)
                if size > LARGEST_MODEL:
                    raise Refused(
                        "larger than a model may be", field=str(path), wanted=f"at most {LARGEST_MODEL} bytes"
                    )
    except OSError as error:
        raise Unavailable(f"cannot be read: {error.strerror}", field=str(path)) from error
    if hashed.hexdigest() != digest:
        raise DigestMismatch(
            "not the model that was asked for", field=str(path), found=hashed.hexdigest(), wanted=digest
        )
    return b"".join(pieces)


def load(source: ModelSource, providers: Sequence[str], threads: int) -> LoadedModel:
    """Verify the file and make its session. Refused for a wrong digest, no model, or a provider that does not load."""
    data = verified(Path(source.path), source.digest)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    wanted = list(providers) or [name for name in (_CUDA, _CPU) if name in onnxruntime.get_available_providers()]
    unknown = [name for name in wanted if name not in onnxruntime.get_available_providers()]
    if unknown:
        raise Refused(
            "not available here",
            field="providers",
            found=unknown,
            wanted="of " + ", ".join(onnxruntime.get_available_providers()),
        )
    try:
        session = onnxruntime.InferenceSession(data, options, providers=wanted)
    except _ORT_ERRORS as error:
        raise Refused(f"not a model that runs here: {str(error)[:300]}", field=source.path) from error
    lacking = [name for name in providers if name not in session.get_providers()]
    if lacking:
        raise Refused("did not load", field="providers", found=lacking, wanted="what was asked for, or [] for any")
    identity = ModelIdentity(
        source.name, source.version, source.digest, source.generation, parse(source.traceparent or None)
    )
    signature = Signature(
        _specs(session.get_inputs(), source.path, needed=True), _specs(session.get_outputs(), source.path, needed=False)
    )
    device = _gpu_name() if session.get_providers()[0] == _CUDA else "cpu"
    return LoadedModel(identity, signature, session, device, source)


def _specs(declared: Sequence[Any], path: str, *, needed: bool) -> tuple[TensorSpec, ...]:
    """What the session declares. Outputs that are no tensors (maps, sequences) cannot be asked for and are left out."""
    specs: list[TensorSpec] = []
    for node in declared:
        datatype = _DATATYPES.get(node.type)
        if datatype is not None:
            specs.append(TensorSpec(node.name, datatype, tuple(s if isinstance(s, int) else ANY for s in node.shape)))
        elif needed:
            raise Refused("an input that is no tensor", field=f"{path}:{node.name}", found=node.type, wanted="a tensor")
        else:
            log.warning("output %s of %s is %s, no tensor, and is not served", node.name, path, node.type)
    if not specs:
        raise Refused("nothing that the protocol can carry", field=path, wanted="a tensor among the outputs")
    return tuple(specs)


def _made_up(spec: TensorSpec, most_bytes: int) -> Array:
    shape = tuple(1 if size == ANY else size for size in spec.shape)
    dtype = NUMPY[spec.datatype]
    if len(shape) > MAX_DIMENSIONS or math.prod(shape) * dtype.itemsize > most_bytes:
        raise Refused(
            "takes more than a request can carry",
            field=f"inputs.{spec.name}"[:200],
            found=list(shape[:MAX_DIMENSIONS]),
            wanted=f"at most {MAX_DIMENSIONS} dimensions and {most_bytes} bytes",
        )
    if dtype.kind == "O":
        return np.full(shape, b"", object)
    if dtype.kind == "f":
        drawn = np.random.default_rng(0).standard_normal(min(math.prod(shape), MADE_UP)).astype(dtype)
        return np.resize(drawn, shape) if drawn.size else np.zeros(shape, dtype)
    return np.zeros(shape, dtype)


def _decoded(array: Array, name: str) -> Array:
    """BYTES as the runtime wants them: an array of text."""
    texts = np.empty(array.shape, object)
    try:
        texts.reshape(-1)[:] = [piece.decode() for piece in array.reshape(-1)]
    except UnicodeDecodeError as error:
        raise Refused("not UTF-8 text", field=f"inputs.{name}", found=str(error)[:80], wanted="UTF-8") from error
    return texts


def _encoded(array: Array) -> Array:
    if array.dtype.kind not in "OUS":
        return array
    pieces = np.empty(array.shape, object)
    pieces.reshape(-1)[:] = [str(text).encode() for text in array.reshape(-1)]
    return pieces


def _gpu_name() -> str:
    """The first GPU's name, or `cuda` where the driver's library does not tell."""
    import pynvml

    try:
        pynvml.nvmlInit()
        try:
            return str(pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(0)))
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return "cuda"
