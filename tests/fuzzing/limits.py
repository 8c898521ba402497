"""The largest and worst inputs that a reader takes or refuses by size: in how much time, and within which memory.

    python -m tests.fuzzing.limits      one JSON line a case: {"case", "cpu_ms", "outcome"}

Each is read within `MEMORY_BYTES` more than the process held before, its own bytes left out, or the outcome says so.
"""

import gzip
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.fuzzing import MEMORY_BYTES
from tests.fuzzing.measure import bounded
from tidegate import manifests
from tidegate.manifests import price_tables
from tidegate.model.errors import Refused
from tidegate.wire.inference import decode_request

HEAD = "apiVersion: tidegate.dev/v1\nkind: Policy\nmetadata: {name: a}\nspec:\n"
TABLE = "instance_type,region,usd_per_hour\n"
MANIFESTS = {
    "mistakes in a thousand documents": lambda: "---\n".join([HEAD + "  rules: [" + "a," * 1_900 + "a]\n"] * 1_000),
    "two million nodes in one document": lambda: HEAD + "  rules: [" + "a," * 2_000_000 + "]",
    "two million nodes in a hundred": lambda: "\n---\n".join(["[" + "a," * 19_990 + "a]"] * 100),
    "a text of a megabyte": lambda: HEAD + "  because: " + "x" * 1_000_000,
    "a hundred thousand levels": lambda: "[" * 100_000,
    "a hundred thousand blocks in blocks": lambda: "a:\n" + "".join(" " * level + "a:\n" for level in range(1, 1_000)),
    "a hundred thousand fields": lambda: "\n".join(f"k{number}: 1" for number in range(100_000)),
    "a bomb of aliases": lambda: "a: &a [x,x]\n" + "".join(f"b{n}: &b{n} [*a,*a,*a,*a]\n" for n in range(50_000)),
    "a number of a million digits": lambda: HEAD + "  version: " + "9" * 1_000_000,
    "a million of one anchor": lambda: "- &a x\n" * 500_000,
}
TABLES = {
    "a table of rows that cannot be read": lambda: TABLE + ("a" * 1_000 + " b,x,1\n") * 20_000,
    "a table with a cell of four megabytes": lambda: TABLE + "a" * 4_000_000 + ",x,1\n",
    "a table with a number of a hundred thousand digits": lambda: TABLE + "a,x," + "9" * 100_000 + "\n",
    "a table with exponents": lambda: TABLE + "".join(f"t{n},x,1e-99999{n}\n" for n in range(5_000)),
}
BODIES = {
    "a body of a million brackets": lambda: b'{"inputs":' + b"[" * 1_000_000,
    "a body with a number of a million digits": lambda: b'{"inputs":' + b"9" * 1_000_000 + b"}",
    "a body with a shape beyond all numbers": lambda: (
        b'{"inputs":[{"name":"x","shape":[' + b"9" * 4_000 + b'],"datatype":"FP32","data":[]}]}'
    ),
    "a body of a hundred thousand tensors": lambda: b'{"inputs":[' + b"{}," * 100_000 + b"{}]}",
}


def archive() -> None:
    """A bomb of an archive: a header that says a name is of 8 GiB, packed to a few bytes."""
    import tarfile

    from agents.cache.archive import unpack
    from tests.disks.files import PlatterFiles

    info = tarfile.TarInfo("name")
    info.type, info.size = tarfile.XHDTYPE, 8 * 2**30
    data = gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    try:
        unpack(PlatterFiles(), iter([data]), "/folder")
    except tarfile.TarError as error:
        raise Refused(str(error)) from error


def cases() -> dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]]:
    """By name: what makes the input, and what reads it."""
    return {
        **{name: (made, lambda text: manifests.load(text, source="x")) for name, made in MANIFESTS.items()},
        **{name: (made, lambda text: price_tables.read(text, source="x")) for name, made in TABLES.items()},
        **{name: (made, decode_request) for name, made in BODIES.items()},
        "an archive that is a bomb": (lambda: None, lambda _: archive()),
    }


def main() -> None:
    for name, (made, read) in cases().items():
        data = made()
        began, outcome = time.process_time(), "taken"
        try:
            with bounded(MEMORY_BYTES):
                read(data)
        except Refused:
            outcome = "refused"
        except BaseException as error:
            outcome = repr(error)[:200]
        told = {"case": name, "cpu_ms": int((time.process_time() - began) * 1_000), "outcome": outcome}
        sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
