"""What an agent keeps in files: the broker's word, models and code by digest, its drivers' records."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from random import Random
from types import SimpleNamespace
from typing import Any

from agents.cache import ContentCache
from agents.core.held import Held
from agents.drivers.process.driver import ProcessDriver
from agents.drivers.process.server import ServerSlot, read_json
from agents.drivers.ray import record
from agents.store import HeldStore
from tests.disks.lives.life import Life
from tidegate.model.assignment import Phase, Status
from tidegate.model.errors import Unavailable

SITE = "press-7"
NAMES = ("inspect", "train")


def _contents() -> dict[str, bytes]:
    chance = Random(7)
    made = [chance.randbytes(size) for size in (1, 90, 700, 1500)]
    return {hashlib.sha256(data).hexdigest(): data for data in made}


def _archives() -> dict[str, tuple[bytes, dict[str, bytes]]]:
    """Packed code and what is in it, by digest."""
    chance, made = Random(8), {}
    for count in (1, 3):
        files = {
            f"{'src/' if index else ''}part{index}.py": chance.randbytes(60 + 90 * index) for index in range(count)
        }
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, data in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
        packed = gzip.compress(buffer.getvalue(), mtime=0)
        made[hashlib.sha256(packed).hexdigest()] = (packed, files)
    return made


MODELS = _contents()
ARCHIVES = _archives()
FILES = MODELS | {digest: packed for digest, (packed, _) in ARCHIVES.items()}


class AgentLife(Life):
    """What is held never goes back; a file under its digest is that file; what is unpacked or named is whole."""

    name = "agent"
    needed = (
        *(f"hold {call}" for call in ("make", "write", "sync", "rename", "sync_directory")),
        *(f"fetch {call}" for call in ("make", "write", "sync", "rename", "sync_directory")),
        *(f"unpack {call}" for call in ("make", "write", "sync", "rename", "sync_directory")),
        *(f"name {call}" for call in ("write", "sync", "rename", "sync_directory", "remove")),
        *(f"forget {call}" for call in ("write", "sync", "rename", "sync_directory", "remove")),
        *(f"configure {call}" for call in ("make", "write", "sync", "rename", "sync_directory")),
        *(f"record {call}" for call in ("write", "sync", "rename")),
        "start make",
        "start sync_directory",
    )

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.root = f"{self.home}/site"
        self.generation = 0
        """The highest that was held durably."""
        self.named: dict[str, list[str]] = {}
        """Current and previous digest of each name, as acknowledged."""
        self.naming: dict[str, list[str]] | None = None
        """What they become by what is being done."""
        self.unpacked: set[str] = set()
        self.attempts = 0
        self.slot = ""
        self.data_dir = self.home / "site" / "tasks" / "one"
        self.driver: ProcessDriver | None = None

    def recover(self) -> None:
        self.store = HeldStore(self.files, self.root, SITE)
        self.held = self.store.read()
        self.cache = ContentCache(self.home / "site" / "cache", 0, self.files)
        self.record = record.load(self.data_dir, self.files)

    def judge(self) -> None:
        assert self.held.generation in (self.generation, self.generation + 1), (
            f"generation {self.generation} was held, now it is {self.held.generation}"
        )
        assert self.held == _held(self.held.generation)
        self.generation = self.held.generation
        self._judge_cache()
        # Whoever makes the folder of a task makes it durably, before there is a record in it.
        self.files.make_directory(str(self.data_dir))
        found = self.record
        assert len(found.attempts) in (self.attempts, self.attempts + 1), "an attempt was recorded and is forgotten"
        self.attempts = len(found.attempts)
        pointer = read_json(self.files, self.data_dir / "current.json")
        if self.slot or pointer:
            slot = str(pointer["slot"])
            config = ServerSlot(self.data_dir / "slots" / slot, "python", "module", self.files).config()
            assert config.get("service") == slot, f"the slot {slot} serves and has no configuration"

    def _judge_cache(self) -> None:
        root = f"{self.home}/site/cache"
        there = set(self.files.names(root))
        for digest in FILES:
            if digest in there:
                assert self.files.read(f"{root}/{digest}") == FILES[digest], "a file is not what its name says"
        names = json.loads(self.files.read(f"{root}/names.json")) if "names.json" in there else {}
        assert names == self.named or names == self.naming, "a file is not called what it was called"
        self.named, self.naming = names, None
        kept = {digest for digests in names.values() for digest in digests}
        for digest in kept:
            assert self.cache.has(digest), "a file that is used is gone"
        for digest, (_, files) in ARCHIVES.items():
            if f"{digest}.d" in there:
                for name, data in files.items():
                    assert self.files.read(f"{root}/{digest}.d/{name}") == data, "code is unpacked in part"
            else:
                assert digest not in self.unpacked & kept, "unpacked code is gone"
        self.unpacked &= kept

    def work(self) -> None:
        match self.chance.randrange(9):
            case 0 | 1:
                self.hold()
            case 2 | 3 | 4:
                self.install()
            case 5:
                self.unpack()
            case 6:
                self.keep_record()
            case 7:
                self.forget(self.chance.sample(NAMES, self.chance.randrange(len(NAMES) + 1)))
            case _:
                self.serve()

    def hold(self) -> None:
        self.platter.doing = "hold"
        self.store.write(_held(self.generation + 1))
        self.generation += 1
        self.did["words held"] += 1

    def install(self, digest: str = "", name: str = "") -> None:
        """As `agents.link.artifacts.fetch` does it, with a link that breaks; then it is used."""
        digest = digest or self.chance.choice(list(FILES))
        name = name or self.chance.choice(NAMES)
        self.platter.doing = "fetch"
        if not self.cache.verified(digest):
            data = FILES[digest]
            try:
                while (held := self.cache.held_bytes(digest)) < len(data):
                    most = self.chance.choice((16, 200, 2_000))
                    self.cache.append(digest, held, data[held : held + most], len(data))
                    if self.chance.random() < 0.05:
                        return
                self.cache.finish(digest)
            except Unavailable:  # a part from before the cut was damaged: it is dropped, and fetched another time
                self.did["damaged parts"] += 1
                assert not self.cache.has(digest)
                return
        self.platter.doing = "name"
        before = self.named.get(name, [])
        self.naming = {**self.named, name: [digest, *[each for each in before if each != digest]][:2]}
        self.cache.use(name, digest)
        self._named()
        self.did["files installed"] += 1

    def forget(self, left: Sequence[str]) -> None:
        """As a site does when work is gone: all but these names, and what is on its way to them."""
        self.platter.doing = "forget"
        self.naming = {name: digests for name, digests in self.named.items() if name in left}
        self.cache.retain(left, ())
        self._named()
        used = {digest for digests in self.named.values() for digest in digests}
        for path, _ in self.platter.files():
            assert not set(path.replace(".", "/").split("/")) & (set(FILES) - used), "a file of what is gone is there"
        self.did["names forgotten"] += 1

    def _named(self) -> None:
        assert self.naming is not None
        self.named, self.naming = self.naming, None
        self.unpacked &= {each for digests in self.named.values() for each in digests}

    def unpack(self) -> None:
        self.platter.doing = "unpack"
        used = {digest for digests in self.named.values() for digest in digests}
        for digest in sorted(used & set(ARCHIVES)):
            self.cache.unpacked(digest)
            self.unpacked.add(digest)
            self.did["archives unpacked"] += 1

    def keep_record(self) -> None:
        self.platter.doing = "record"
        attempts = tuple(
            record.Attempt(number=number, cluster_id="c", submission_id=f"s{number}", submitted_ns=number)
            for number in range(1, self.attempts + 2)
        )
        record.save(self.data_dir, record.Record(attempts=attempts), self.files)
        self.attempts += 1

    def serve(self) -> None:
        """As the process driver prepares and starts: the slot's configuration first, then the pointer to it."""
        self.platter.doing = "configure"
        slot = f"slot{self.chance.randrange(5)}"
        driver = ProcessDriver.__new__(ProcessDriver)
        driver._files = self.files
        try:
            ServerSlot(self.data_dir / "slots" / slot, "python", "module", self.files).configure({"service": slot})
            driver._point(SimpleNamespace(data_dir=self.data_dir), slot)  # type: ignore[arg-type]
        except OSError as error:  # as the driver takes it
            raise Unavailable(str(error)) from error
        self.slot = slot

    def drop(self) -> None:
        return None

    def last(self) -> None:
        for digest in FILES:
            if self.cache.has(digest):
                assert self.cache.verified(digest)
        kept = {digest for digests in self.named.values() for digest in digests}
        for path, _ in self.platter.files():
            assert ".d.new/" not in path, "what was half unpacked is never cleared away"
            name = path.rpartition("/")[2]
            assert name not in FILES or name in kept or not kept, "a file that nobody uses is never cleared away"


def _held(generation: int) -> Held:
    if not generation:
        return Held(SITE)
    ended = {"w": Status("w", generation, Phase.SUCCEEDED, "x" * (generation * 37 % 400), at=generation)}
    return Held(SITE, epoch=5, generation=generation, ended=ended, away_since=generation % 2)
