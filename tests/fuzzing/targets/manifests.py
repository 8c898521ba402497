"""What people write: YAML manifests of every kind, the law's expressions, price books, and published price tables.

What is taken must also be written again and be read back as the same, pass to messages and back, and be taken or
refused by the checks that the broker makes of a declaration before anything stands.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

from broker.core.commands import ApplyDeclarations
from broker.core.decide import decide
from broker.core.state import State
from placement.law import policy_test
from placement.money.books import check_book, in_force, merged
from tests.fuzzing.mutation import mutated
from tests.fuzzing.target import Target
from tidegate import manifests
from tidegate.manifests import price_tables
from tidegate.model.errors import Refused
from tidegate.model.event import Event
from tidegate.model.money import PriceBook
from tidegate.model.policy import Policy
from tidegate.model.site import Site
from tidegate.model.workload import Workload
from tidegate.wire.codec import decode, encode

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
TOKENS = tuple(
    word.encode()
    for word in (
        *("apiVersion: tidegate.dev/v1\n", "kind: ", "metadata: ", "spec: ", "---\n", "- ", "  ", "\n", ": ", "{", "}"),
        *("&a ", "*a", "<<: *a", "!!python/object:os.system ", "!!binary ", "|\n", ">-\n", "? ", "# ", "'", '"', "\t"),
        *("Site", "Policy", "Team", "PriceBook", "TrainingJob", "InferenceService", "true", "null", "~", "NO", ".inf"),
        *("24Gi", "500m", "50ms", "9999999Ei", "$1.20", "5%", "1e9", "0x7f", "-1", "forever", "2025-03-02", "10000y"),
        *(
            "9999-12-31T23:59:59Z",
            "0001-01-01",
            "data.classes",
            "site.operator",
            "offer.gpus",
            "team.name",
            "ContainsAny",
        ),
        *(
            "{key: site.tier, operator: In, values: [edge]}",
            "{key: offer.cpus, operator: Ge, values: ['9']}",
            "[[[[",
            "]]",
        ),
    )
)
EXPRESSIONS = tuple(
    f"    - {{key: {key}, operator: {operator}, values: [{value}]}}\n".encode()
    for key, operator, value in (
        ("data.classes", "ContainsAny", "phi"),
        ("site.jurisdiction", "NotIn", "EEA"),
        ("offer.gpus", "Ge", "99999999999999999999"),
        ("site.labels.x", "Exists", ""),
        ("workload.team", "In", "a, b"),
        ("offer.priceMicros", "Lt", "-1"),
        ("data.bytesPerDay", "Gt", "1e9"),
    )
)


def read(data: bytes) -> None:
    """As a file of manifests, then as declarations to a broker that knows nothing."""
    nouns = manifests.load(_text(data), source="fuzz.yaml")
    for noun in nouns:
        again = manifests.load(manifests.dump(noun), source="again.yaml")
        assert again == (noun,), f"{noun} is read back as {again}"
        assert decode(type(noun), encode(noun)) == noun
    declared = tuple(noun for noun in nouns if not isinstance(noun, Workload))
    state = State()
    for _ in _taken(state, declared):
        pass


def policies(data: bytes) -> None:
    """A policy, and its own tests against sites that stand."""
    sites = _sites()
    for noun in manifests.load(_text(data), source="fuzz.yaml"):
        if isinstance(noun, Policy):
            policy_test.run(noun, sites, ())
            policy_test.warnings(noun)


def books(data: bytes) -> None:
    """Price books, put together."""
    found = tuple(one for one in manifests.load(_text(data), source="fuzz.yaml") if isinstance(one, PriceBook))
    for book in found:
        check_book(book)
    merged(in_force(found, 2**60))
    for book in found:
        assert manifests.load(manifests.dump(book), source="again.yaml") == (book,)


def tables(data: bytes) -> None:
    """A published table, as `tidegate prices import` makes a book of it."""
    from tidegate.cli.prices import manifest

    table = price_tables.read(_text(data), source="fuzz.csv")
    book = PriceBook("fuzz", 1, prices=tuple(table.prices), egress=tuple(table.egress), sources=("a fuzzer",))
    assert manifests.load(manifest(book), source="again.yaml") == (book,)


def _text(data: bytes) -> str:
    """As a file is read: UTF-8, or refused."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused("is not UTF-8") from error


def _taken(state: State, declared: tuple[Site | Policy | PriceBook, ...]) -> list[Event]:
    return list(decide(state, ApplyDeclarations(1, declared)))


@cache
def _sites() -> tuple[Site, ...]:
    nouns = manifests.load_files([DEPLOY / "policies" / "sites-for-tests.yaml"])
    return tuple(replace(noun) for noun in nouns if isinstance(noun, Site))


def _files(*patterns: str) -> list[bytes]:
    """The documents of the project's own examples, each by itself."""
    texts = [path.read_text() for pattern in patterns for path in sorted(DEPLOY.glob(pattern))]
    documents = [document for text in texts for document in text.split("\n---\n")]
    return [document.encode() for document in documents if len(document) < 8_000]


def manifest_seeds() -> list[bytes]:
    return _files("examples/*/*.yaml", "policies/*.yaml")


def policy_seeds() -> list[bytes]:
    found = _files("policies/*.yaml", "examples/*/policies.yaml")
    return [document for document in found if b"kind: Policy" in document]


def book_seeds() -> list[bytes]:
    found = _files("examples/*/prices.yaml")
    return [document for document in found if b"kind: PriceBook" in document]


def table_seeds() -> list[bytes]:
    return [
        b"instance_type,region,usd_per_hour,usd_per_hour_spot,gpu_model,gpus,vcpus,memory_gib\n"
        b"g4dn.xlarge,us-east-1,0.526,0.1578,T4,1,4,16\nm5.large,eu-central-1,0.115,,,,2,8\n",
        b"src,dst,cost\nus-east-1,eu-central-1,0.02\nus-east-1,internet,0.09\n",
        b'instance_type,region,usd_per_hour\n"a,b",x,1e-30\nc,"d\n",1e999999999\n',
    ]


def expression(random: Random, data: bytes) -> bytes:
    """One more condition, or other words in one that stands."""
    if random.random() < 0.5:
        lines = data.splitlines(keepends=True)
        lines.insert(random.randrange(len(lines) + 1), random.choice(EXPRESSIONS))
        return b"".join(lines)
    return mutated(random, data, [], TOKENS, 16_384)


TARGETS = (
    Target("manifests", read, manifest_seeds, tokens=TOKENS),
    Target("policies", policies, policy_seeds, tokens=TOKENS, mutation=expression),
    Target("price-books", books, book_seeds, tokens=TOKENS),
    Target("price-tables", tables, table_seeds, tokens=(b",", b'"', b"\n", b"internet", b"1e999999999", b"-0", b"NaN")),
)
