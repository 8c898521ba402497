#!/usr/bin/env bash
# The wire's gate: lint, no breaking change against the last commit, generated code up to date. Usage: check.sh BIN
set -euo pipefail
bin=$1
"$bin/buf" lint protos
if git rev-parse --verify -q HEAD:protos >/dev/null; then
    previous=$(mktemp -d)
    git archive HEAD protos | tar -x -C "$previous"
    "$bin/buf" breaking protos --against "$previous/protos"
    rm -rf "$previous"
fi
fresh=$(mktemp -d)
bash protos/generate.sh "$bin" "$fresh"
status=0
for generated in $(cd "$fresh" && find . -type f | sort); do
    cmp -s "$fresh/$generated" "$generated" || { echo "protos: $generated is not what protos/ generates; run make protos" >&2; status=1; }
done
rm -rf "$fresh"
exit $status
