"""Triton's public clients against a model server, in a process of its own; what they saw goes out as one JSON object.

A process of its own because both Triton's gRPC client and ours register the protocol's messages under their public
names, and protobuf allows each name once per process.
"""

import json
import sys

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException


def told(client, kind, infer_options):
    """One client's view of the server: health, metadata, three predictions and three mistakes."""
    pixels = np.load(sys.argv[3])
    seen = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model": client.is_model_ready("digits"),
        "no model": client.is_model_ready("digit"),
    }
    one = kind.InferInput("X", list(pixels.shape), "FP32")
    one.set_data_from_numpy(pixels)
    reply = client.infer("digits", [one], request_id="q-7", **infer_options)
    seen["labels"] = reply.as_numpy("label").tolist()
    seen["probabilities"] = list(reply.as_numpy("probabilities").shape)

    chosen = client.infer("digits", [one], model_version="1", outputs=[kind.InferRequestedOutput("label")])
    seen["chosen"] = chosen.as_numpy("label").tolist()
    seen["left out"] = chosen.as_numpy("probabilities") is None

    text = kind.InferInput("text", [2], "BYTES")
    text.set_data_from_numpy(np.array(["Gießerei".encode(), b""], dtype=object))
    seen["texts"] = [piece.decode() for piece in client.infer("echo", [text]).as_numpy("said")]

    seen["errors"] = []
    narrow = kind.InferInput("X", [1, 63], "FP32")
    narrow.set_data_from_numpy(np.zeros((1, 63), np.float32))
    for name, inputs in (("digits", [narrow]), ("digts", [one]), ("digits", [text])):
        try:
            client.infer(name, inputs)
        except InferenceServerException as error:
            seen["errors"].append([error.status(), error.message()])
    return seen


def main():
    """`triton_caller HTTP GRPC PIXELS.npy`"""
    with triton_http.InferenceServerClient(sys.argv[1]) as client:
        http = told(client, triton_http, {"headers": {"traceparent": sys.argv[4]}})
        http["platform"] = client.get_model_metadata("digits")["platform"]
        http["server"] = client.get_server_metadata()["name"]
        http["index"] = sorted(model["name"] for model in client.get_model_repository_index())
        pixels = np.load(sys.argv[3])
        plain = triton_http.InferInput("X", list(pixels.shape), "FP32")
        plain.set_data_from_numpy(pixels, binary_data=False)
        wanted = [triton_http.InferRequestedOutput("label", binary_data=False)]
        packed = client.infer("digits", [plain], outputs=wanted, request_compression_algorithm="gzip")
        http["as JSON"] = packed.as_numpy("label").tolist()
    with triton_grpc.InferenceServerClient(sys.argv[2]) as client:
        grpc = told(client, triton_grpc, {"headers": {"traceparent": sys.argv[4]}})
        grpc["platform"] = client.get_model_metadata("digits").platform
        grpc["server"] = client.get_server_metadata().name
        grpc["index"] = sorted(model.name for model in client.get_model_repository_index().models)
    json.dump({"http": http, "grpc": grpc}, sys.stdout)


main()
