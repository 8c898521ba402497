"""What several kinds say alike: labels, lists of words and names, and the block `data`."""

from tidegate.manifests import values as v
from tidegate.manifests.shapes import Field, ListOf, MapOf, Record
from tidegate.model.workload import Data

WORDS = ListOf(v.WORD)
NAMES = ListOf(v.NAME)
LABELS = MapOf(v.TEXT, "[A-Za-z0-9][-A-Za-z0-9._/]{0,62}", "a label's name: letters, digits and . _ - /, 63 at most")
DATA = Record(
    Data,
    (
        Field(
            "classes",
            ListOf(v.WORD, least=1),
            "Classes of the data, such as pii or phi. Left out: the strictest.",
            "classes",
        ),
        Field(
            "subjects",
            ListOf(v.JURISDICTION),
            "Countries, or groups such as EEA, of the people whom the data is about.",
            "subjects",
        ),
        Field("deidentified", v.BOOLEAN, "Whether nobody can be recognised from it any more.", "deidentified"),
        Field("attestation", v.TEXT, "Who says that it is de-identified, and where that is written.", "attestation"),
        Field("origin", v.WORD, "The location where the data lies.", "origin"),
        Field("bytesPerDay", v.BYTES, "How much of it moves each day.", "bytes_per_day"),
        Field("size", v.BYTES, "What must be moved once, before work can start.", "size_bytes"),
        Field("ref", v.TEXT, "A name for the data set, recorded as lineage.", "ref"),
    ),
)
