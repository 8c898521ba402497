"""Mistakes: every one is named with line, field, what was found and what would be right, all in one pass."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.manifests import ManifestError, load, load_files
from tidegate.manifests import tree as bounds
from tidegate.model.errors import Refused

SERVICE = """\
apiVersion: tidegate.dev/v1
kind: InferenceService
metadata: {name: line-camera}
spec:
  model: {uri: "models:/line-camera@latest"}
  demand: {cpus: 500m}
"""

TEN = """\
apiVersion: tidegate.dev/v2
kind: InferenceService
metadata: {name: Line_Camera, team: [quality]}
spec:
  model: {format: onnx}
  demand: {cpus: lots, gpuMemry: 10Gi}
  replicas: {min: 0, spread: nodes}
  latency: {p99: 50 parsecs}
  audit: every_prediction
  audit: "off"
  data: &anchor {deidentified: yes}
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        load(text, source="f.yaml")
    assert isinstance(caught.value, Refused)
    return str(caught.value).splitlines()


def test_ten_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    assert mistakes(TEN) == [
        'f.yaml:1: apiVersion: found "tidegate.dev/v2", wanted tidegate.dev/v1; did you mean "tidegate.dev/v1"?',
        'f.yaml:3: metadata.name: found "Line_Camera", wanted a name: small letters, digits and dashes, 63 at most, '
        "not beginning or ending with a dash",
        'f.yaml:3: metadata.team: found "a list", wanted a name: small letters, digits and dashes, 63 at most, '
        "not beginning or ending with a dash",
        "f.yaml:5: spec.model.uri: is required; models:/NAME@latest, models:/NAME/VERSION or sha256:HEX.",
        'f.yaml:6: spec.demand.cpus: found "lots", wanted CPUs such as 500m, 2 or 0.5',
        'f.yaml:6: spec.demand.gpuMemry: is not a field; did you mean "gpuMemory"?',
        'f.yaml:7: spec.replicas.min: found "0", wanted a whole number from 1 to 10,000',
        'f.yaml:7: spec.replicas.spread: found "nodes", wanted one of none, node, zone, site; did you mean "node"?',
        'f.yaml:8: spec.latency.p99: found "50 parsecs", wanted a duration such as 50ms, 30s or 72h',
        "f.yaml:10: spec.audit: is given twice, first on line 9",
        "f.yaml:11: spec.data: anchors are not read (&anchor); write the value out where it is needed",
        'f.yaml:11: spec.data.deidentified: found "yes", wanted true or false',
    ]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("  replicas: {min: 3, max: 2}", "f.yaml:7: spec.replicas.max: is below replicas.min (2 < 3)"),
        ("  disconnect: {replaceAfter: 72h}", "f.yaml:7: spec.disconnect.replaceAfter: excludes replace: never"),
        ("  data: {classes: []}", "f.yaml:7: spec.data.classes: is an empty list"),
        ("  data: !!python/object:os.system {}", "f.yaml:7: spec.data: tags are not read"),
        ("  data: *other", "f.yaml:7: spec.data: aliases are not read (*other)"),
        ("  <<: {audit: off}", "f.yaml:7: spec.<<: merge keys (<<) are not read"),
        ("\taudit: off", "f.yaml:7: is indented with a tab, wanted spaces"),
        ("  audit: [off", "f.yaml:8: is not YAML"),
        ("  ? [a]\n  : b", "f.yaml:7: spec: a field's name must be plain text"),
        ("  audit: \x00", "f.yaml:7: holds the character U+0000, which is not text"),
        ("  latency: {p99: 50}", 'f.yaml:7: spec.latency.p99: found "50", wanted a duration'),
        ("  maxCost: -1", 'f.yaml:7: spec.maxCost: found "-1", wanted US dollars such as $1.20'),
        ("  data:", 'f.yaml:7: spec.data: found "nothing", wanted a block of fields'),
    ],
)
def test_one_mistake(more: str, told: str) -> None:
    assert mistakes(SERVICE + more + "\n")[0].startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kind: InferenceServce", 'did you mean "InferenceService"?'),
        ("metadata: {}", "f.yaml:1: kind: is required; one of Site, Policy"),
        ("- a", 'found "a list", wanted a manifest'),
        ("", "f.yaml: holds no manifest"),
        ("a: " * 40, "f.yaml:1: is not YAML"),
        ("[" * (bounds.MAX_DEPTH + 1), "is over 32 levels deep"),
        ("[" + "a, " * bounds.MAX_NODES + "]", "has over 20,000 nodes"),
        ("a: " + "x" * (bounds.MAX_DOCUMENT_CHARACTERS + 1), "is over 1,048,576 characters"),
        ("--- a\n" * (bounds.MAX_DOCUMENTS + 1), "has over 1,000 documents"),
        ("#" * (bounds.MAX_FILE_BYTES + 1), "f.yaml: the file is over 4,194,304 bytes"),
    ],
)
def test_what_is_no_manifest_or_over_a_bound(text: str, told: str) -> None:
    assert any(told in line for line in mistakes(text))


def test_one_bad_document_does_not_hide_the_next() -> None:
    lines = mistakes(SERVICE.replace("500m", "some") + "---\n" + SERVICE.replace("500m", "many"))
    assert [line.split(":")[1] for line in lines] == ["6", "13"]


def test_files_say_where_they_are_not_text_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"# a\nkind: caf\xe9\n")
    (tmp_path / "one.yaml").write_text(SERVICE)
    (tmp_path / "two.yaml").write_text(SERVICE)
    with pytest.raises(ManifestError) as caught:
        load_files([tmp_path, tmp_path / "none.yaml"])
    assert [str(problem).removeprefix(str(tmp_path)) for problem in caught.value.problems] == [
        "/latin.yaml:2: is not UTF-8: byte 0xe9",
        f'/two.yaml:1: metadata.name: "line-camera" is declared twice, first at {tmp_path}/one.yaml:1',
        "/none.yaml: cannot be read: no such file or directory",
    ]


def test_norway_is_a_country() -> None:
    (service,) = load(SERVICE + "  data: {subjects: [NO]}\n", source="f.yaml")
    assert service.data.subjects == ("NO",)  # type: ignore[union-attr]


@given(st.text() | st.text("abc:-[]{}&*!<|>'\"#%@,\n\t ?", max_size=80), st.integers(0, len(TEN)))
def test_no_text_brings_anything_but_a_manifest_error(text: str, at: int) -> None:
    for whole in (text, TEN[:at] + text + TEN[at:]):
        with pytest.raises(ManifestError):
            load(whole, source="f.yaml")


@pytest.mark.parametrize(
    ("demand", "told"),
    [
        ("gpus: 0.5", 'gpus: found "0.5", wanted whole GPUs; for a part of one, give gpuShare: 0.5'),
        ("gpus: 50%", 'gpus: found "50%", wanted whole GPUs; for a part of one, give gpuShare: 50%'),
        ("gpuShare: 1.5", 'gpuShare: found "1.5", wanted a share of one GPU, below 1, such as 500m, 0.5 or 50%; for'),
        ("gpuShare: 0", 'gpuShare: found "0", wanted a share of one GPU, below 1, such as 500m, 0.5 or 50%; for'),
        ("gpuShare: 0.0005", 'gpuShare: found "0.0005", wanted a share of one GPU, below 1, such as 500m, 0.5 or 50%'),
        ("gpuShare: 50%, gpus: 2, gpuMemory: 1Gi", "gpuShare: excludes gpus: it is a share of one GPU"),
        ("gpuShare: 50%", "gpuShare: is given without gpuMemory"),
        ("gpus: 1, timeSlicing: true", "timeSlicing: speaks of a share where none is demanded"),
        ("mig: 1g.10g", 'mig: found "1g.10g", wanted a MIG profile such as 1g.10gb; did you mean "1g.10gb"?'),
        ("mig: 1g.10gb, gpus: 1", "mig: excludes gpus: an instance stands for a GPU"),
        ("mig: 1g.5gb, gpuModels: [H100]", 'mig: is not a profile of H100; did you mean "1g.'),
        ("mig: 1g.10gb, gpuModels: [L4]", "mig: is wanted of L4, which cannot be divided"),
        ("mig: 1g.10gb, gpuMemory: 20Gi", "gpuMemory: is more than an instance of 1g.10gb has ("),
        ("cpus: 1, gpuModels: [L4]", "gpuModels: speaks of GPUs where none are demanded"),
    ],
)
def test_a_demand_for_a_part_of_a_gpu_is_read_strictly(demand: str, told: str) -> None:
    (only,) = mistakes(SERVICE.replace("cpus: 500m", demand))
    assert only.startswith(f"f.yaml:6: spec.demand.{told}")


SITE = """\
apiVersion: tidegate.dev/v1
kind: Site
metadata: {name: hall}
spec:
  tier: on_prem
  operator: self
  jurisdiction: DE
  offers:
  - {name: node, gpus: 2, gpuMemory: 80Gi, gpuModel: H100, gpuSharing: mig}
"""


@pytest.mark.parametrize(
    ("offer", "told"),
    [
        ("gpuModel: L4, gpuSharing: mig", "gpuSharing: is mig, and L4 cannot be divided; give a gpuModel of A30, A100"),
        ("gpuModel: H100, gpuSharing: mid", 'gpuSharing: found "mid", wanted one of none, fraction, mig, time_slicing'),
        ("gpuModel: H100, migLayout: [{gpu: 0, profile: 1g.10gb, start: 0}]", "migLayout: excludes gpuSharing: none"),
        (
            "gpuModel: H100, gpuSharing: mig, migLayout: [{gpu: 2, profile: 1g.10gb, start: 0}]",
            "migLayout[0].gpu: is not one of 2 GPUs",
        ),
        (
            "gpuModel: H100, gpuSharing: mig, migLayout: [{gpu: 0, profile: 1g.5gb, start: 0}]",
            'migLayout[0].profile: is not a profile of H100; did you mean "1g.',
        ),
        (
            "gpuModel: H100, gpuSharing: mig, migLayout: [{gpu: 0, profile: 3g.40gb, start: 3}]",
            "migLayout[0].start: is not where a 3g.40gb can begin; it can at 0, 4",
        ),
        (
            "gpuModel: H100, gpuSharing: mig, "
            "migLayout: [{gpu: 0, profile: 3g.40gb, start: 0}, {gpu: 0, profile: 2g.20gb, start: 2}]",
            "migLayout[1].start: overlaps another instance of the same GPU",
        ),
        (
            "gpuModel: H100, gpuSharing: mig, "
            "migLayout: [{gpu: 1, profile: 1g.10gb+me, start: 0}, {gpu: 1, profile: 1g.10gb+me, start: 1}]",
            "migLayout[1].profile: can be on a GPU 1 times at most",
        ),
    ],
)
def test_an_offer_of_shared_gpus_is_read_strictly(offer: str, told: str) -> None:
    (only,) = mistakes(SITE.replace("gpuModel: H100, gpuSharing: mig", offer))
    assert only.startswith(f"f.yaml:9: spec.offers[0].{told}")
