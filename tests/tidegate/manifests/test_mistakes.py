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
