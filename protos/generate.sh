#!/usr/bin/env bash
# Generates the Python modules of tidegate/v1 and tidegate/oip into OUT. Usage: generate.sh BIN OUT
set -euo pipefail
bin=$1
out=$2
mkdir -p "$out/tidegate/v1"
# shellcheck disable=SC2046
PATH="$bin:$PATH" "$bin/python" -m grpc_tools.protoc -Iprotos \
    --python_out="$out" --mypy_out=quiet:"$out" --grpc_python_out="$out" --mypy_grpc_out=quiet:"$out" \
    $(cd protos && find tidegate -name '*.proto' | sort)
# The public protocol keeps its package (`inference`, which the wire path carries) and gets a home inside ours.
PATH="$bin:$PATH" "$bin/python" -m grpc_tools.protoc -Itidegate/oip=protos/inference \
    --python_out="$out" --mypy_out=quiet:"$out" --grpc_python_out="$out" --mypy_grpc_out=quiet:"$out" \
    tidegate/oip/open_inference.proto
# A file of messages alone gets no service module.
for proto in $(cd protos && grep -L '^service ' tidegate/v1/*.proto); do
    rm -f "$out/${proto%.proto}_pb2_grpc.py" "$out/${proto%.proto}_pb2_grpc.pyi"
done
