"""The model server: ONNX models behind the Open Inference Protocol v2, as a process of its own.

`python -m edge.serving --config FILE` answers the same protocol three times: REST on a TCP port, REST on a Unix
socket for applications on the device, and gRPC. Agents start it by that name and never import it. It needs no
network, no broker and nothing that expires; it outlives the agent that started it and ends on SIGTERM or SIGKILL
alone.

One request, from the rim inward and out again:

    rest.py, rpc.py        bytes or messages to a request; errors to statuses                (rims)
    service.py             admit, find the model, run, record, answer: the one path of a prediction
    signature.py           a request against what the model declares, to arrays              (pure)
    model.py               the model file, verified by digest, and its ONNX Runtime session  (rim)
    prediction.py          what happened to a span and a prediction record                   (pure)
    recorder.py            those into the spool: before the answer, or soon after it

and around it: `repository.py` (what is served; swap and rollback), `server.py` (listeners, signals, drain),
`ready.py` (how an agent finds it again), `config.py`.

It is not a batcher, not a model store (files are given, with their digests) and does no access control: it listens on
loopback and Unix sockets only, unless it is told `--insecure-listen`.
"""
