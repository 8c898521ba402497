"""What is dumped loads to the same noun, and the schema accepts what the reader accepts."""

from pathlib import Path

import jsonschema
import pytest
import yaml

from tidegate.manifests import KINDS, Noun, document, dump, kind_of, load, load_files, schema
from tidegate.model.errors import NotFound

DEPLOY = Path(__file__).parents[3] / "deploy"
FOLDERS = [DEPLOY / "policies", DEPLOY / "examples" / "factory", DEPLOY / "examples" / "teams"]
NOUNS = [*load_files(FOLDERS)]
FULL = """\
apiVersion: tidegate.dev/v1
kind: InferenceService
metadata: {name: fraud-scoring, team: payments, labels: {app.kubernetes.io/name: fraud}}
spec:
  model: {uri: "models:/fraud@champion", format: onnx}
  demand: {gpus: 1, gpuMemory: 10Gi, gpuModels: [L4, A10G], cpus: 2, memory: 4Gi, cpuFallback: true}
  replicas: {min: 2, max: 8, spread: node}
  data: {classes: [pci], subjects: [US, NO], bytesPerDay: 40Gi, origin: branch-tampa, ref: "2024-01-01"}
  latency: {p99: 50ms, from: [branch-tampa], serviceTime: 3.5ms}
  prefer: {tiers: [edge, on_prem], sites: [plant-7]}
  maxCost: $3.50
  volume: {requestsPerDay: 5000000}
  disconnect: {serve: 72h, replace: site, replaceAfter: 10m, reconcile: keep_replacement}
  rollout: {canaryPercent: 10, guard: {errorRate: 0.01, p99: 50ms, agreement: 98%}}
  audit: "off"
  priority: batch
  preemptible: true
  wait: {atMost: 72h}
---
apiVersion: tidegate.dev/v1
kind: TrainingJob
metadata: {name: fraud-training, team: payments}
spec:
  entrypoint: python train.py
  demand: {gpus: 1}
  priority: production
  wait: never
---
apiVersion: tidegate.dev/v1
kind: Team
metadata: {name: payments}
spec:
  parent: bank
  guaranteed: {gpus: 8, gpuModels: {H100: 4, "RTX 6000": 2.5}}
  limit: {gpus: 16, cpus: 64, gpuModels: {H100: 8}}
  borrowingLimit: {gpus: 4, gpuModels: {H100: 2}}
  lending: false
  budget: $5000
---
apiVersion: tidegate.dev/v1
kind: Team
metadata: {name: research}
spec:
  guaranteed: {cpus: 8}
  lendingLimit: {cpus: 4}
"""
GPUS = """\
apiVersion: tidegate.dev/v1
kind: Site
metadata: {name: hall}
spec:
  tier: on_prem
  operator: self
  jurisdiction: DE
  offers:
  - name: divided
    gpus: 2
    gpuMemory: 80Gi
    gpuModel: NVIDIA A100-SXM4-80GB
    gpuSharing: mig
    migLayout: [{gpu: 0, profile: 3g.40gb, start: 4}, {gpu: 0, profile: 1g.10gb+me, start: 0}]
  - {name: shared, gpus: 1, gpuMemory: 24Gi, gpuModel: L4, gpuSharing: fraction}
---
apiVersion: tidegate.dev/v1
kind: TrainingJob
metadata: {name: half}
spec: {demand: {gpuShare: 50%, gpuMemory: 8Gi, timeSlicing: true}, entrypoint: "true", workers: 3, gang: spread}
---
apiVersion: tidegate.dev/v1
kind: TrainingJob
metadata: {name: slice}
spec: {demand: {mig: 2g.20gb, gpuModels: [A100, H100]}, entrypoint: "true"}
"""


@pytest.mark.parametrize(
    "noun",
    [*NOUNS, *load(FULL, source="full"), *load(GPUS, source="gpus")],
    ids=lambda noun: f"{kind_of(noun)}-{noun.name}",
)
def test_what_is_dumped_is_loaded_again(noun: Noun) -> None:
    assert load(dump(noun), source="dump") == (noun,)
    jsonschema.validate(document(noun), schema(kind_of(noun)))
    jsonschema.validate(document(noun), schema())


def test_every_kind_is_among_the_examples() -> None:
    assert {kind_of(noun) for noun in NOUNS} == set(KINDS)


def test_the_schema_is_one_and_refuses_what_the_reader_refuses() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    judge = jsonschema.Draft202012Validator(schema())
    for folder in FOLDERS:
        for path in folder.glob("*.yaml"):
            for one in yaml.safe_load_all(path.read_text()):
                if one["kind"] != "PriceBook":  # PyYAML makes a date object of its moment; JSON has none
                    judge.validate(one)
    good = next(iter(yaml.safe_load_all(FULL.replace("NO]", '"NO"]'))))
    judge.validate(good)
    for block, field, bad in (("latency", "p99", "50 parsecs"), ("demand", "gpuMemry", "1Gi"), ("replicas", "min", 0)):
        assert not judge.is_valid(good | {"spec": good["spec"] | {block: good["spec"][block] | {field: bad}}})


def test_a_default_is_not_written_and_is_told_by_the_schema() -> None:
    assert "pricing" not in dump(next(noun for noun in NOUNS if noun.name == "press-7"))
    offer = schema("Site")["properties"]["spec"]["properties"]["offers"]["items"]["properties"]
    assert offer["count"]["default"] == 1
    assert offer["pricing"]["default"] == "owned"


def test_a_kind_that_is_not_there() -> None:
    with pytest.raises(NotFound, match="no such kind"):
        schema("Sight")
