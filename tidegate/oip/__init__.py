"""Generated code of the Open Inference Protocol's gRPC service; `protos/inference` is where it comes from.

Its messages are registered under the protocol's own package name, `inference`. So do the clients of Triton and KServe
with theirs, and protobuf allows a name once per process: import this package where gRPC inference is used, never on the
way to something else, and keep such a client in a process of its own.
"""
