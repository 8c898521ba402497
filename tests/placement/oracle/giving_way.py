"""What a workload could give way in, judged by trying it: each proposal fits, none of it is too much, none is missing.

- A proposal is carried out as it is written (a field, from one value to another), and the question asked again with the
  other sites left out: it must fit, for the price that was told.
  The price is that of the cheapest offers, whichever are preferred.
- Each change is needed: without it, or with one unit less of it, the work does not fit.
- Where giving way in one field alone, however far, would make a site fit, a proposal of one change is there for it;
  where giving way in all of them would, some proposal is. Whether the fewest changes are proposed is not asked.
  De-identified data and its attestation are one field; what is agreed upon for each home is one. Work that is spread
  over sites gives way in its copies or stands at one site, and in nothing else.
"""

from collections.abc import Iterator
from dataclasses import replace

from tests.placement.oracle.judge import Answer, Judge
from tests.placement.oracle.question import Question
from tidegate.model.decision import Change, Relaxation
from tidegate.model.site import Site
from tidegate.model.workload import Gang, Spread, Workload

UNITS = {"Ti": 2**40, "Gi": 2**30, "Mi": 2**20, "Ki": 2**10}
AGREEMENTS = ("baa", "scc")
OF_DATA = ("data.deidentified", "data.attestation")
FAR_MS = 3_600_000


def wrong(q: Question, proposed: tuple[Relaxation, ...], *, below: int = 0) -> Iterator[str]:
    """What is wrong with the proposals for a refused workload, or for a placed one that costs `below`."""
    if list(proposed) != sorted(proposed, key=lambda one: (len(one.changes), one.cost_micros_per_hour, one.site)):
        yield f"relaxations out of order: {proposed}"
    for one in proposed:
        told = f"{one.site}: {', '.join(f'{c.field} {c.before} -> {c.after}' for c in one.changes)}"
        yield from (f"{why} ({told})" for why in _of_one(q, one, below))


def _of_one(q: Question, one: Relaxation, below: int) -> Iterator[str]:
    fits = _tried(q, one.site, one.changes)
    if not fits.winners:
        yield "would not help"
        return
    total = sum(fits.stands[name].cost.total for name in fits.winners)
    if total != one.cost_micros_per_hour:
        yield f"would cost {total}, not {one.cost_micros_per_hour}"
    if below and total >= below:
        yield f"is no cheaper than {below}"
    for change in one.changes:
        others = tuple(other for other in one.changes if other is not change)
        if _tried(q, one.site, others).winners:
            yield f"{change.field} need not change"
        less = _one_less(change)
        if less is not None and _tried(q, one.site, (*others, less)).winners:
            yield f"{change.field} need only change to {less.after}"


def _tried(q: Question, site: str, changes: tuple[Change, ...]) -> Answer:
    """The question with the changes made, at one site (or those that are named, of work that is spread)."""
    work, sites = q.work, dict(q.sites)
    for change in changes:
        if change.field.endswith(".agreements"):
            name = site if change.field == "site.agreements" else change.field[len("home.") : -len(".agreements")]
            assert name == site or sites[name].site.home
            agreed = replace(sites[name].site, agreements=tuple(change.after.split(", ")))
            sites[name] = replace(sites[name], site=agreed)
        else:
            work = changed(work, change)
    names = site.split(", ")
    left_out = frozenset(q.sites) - set(names) | q.exclude
    return Judge(replace(q, work=work, sites=sites, exclude=left_out)).answer()


def changed(work: Workload, change: Change) -> Workload:
    """The workload with one field as it would be."""
    field, after = change.field, change.after
    demand, data, r = work.demand, work.data, work.demand.resources
    match field:
        case "latency.p99":
            assert work.latency is not None
            return replace(work, latency=replace(work.latency, p99_us=_us(after)))
        case "data.bytesPerDay":
            return replace(work, data=replace(data, bytes_per_day=_amount(after)))
        case "data.deidentified":
            return replace(work, data=replace(data, deidentified=after == "true"))
        case "data.attestation":
            return replace(work, data=replace(data, attestation=after))
        case "demand.gpuShare":
            return replace(work, demand=replace(demand, gpu_share_milli=int(after.removesuffix("m"))))
        case "demand.gpus":
            r = replace(r, gpus=int(after))
        case "demand.gpuMemory":
            r = replace(r, gpu_memory_bytes=_amount(after))
        case "demand.cpus":
            r = replace(r, cpus_milli=int(after[:-1]) if after.endswith("m") else int(after) * 1000)
        case "demand.memory":
            r = replace(r, memory_bytes=_amount(after))
        case "maxCost":
            whole, _, parts = after.partition(".")
            return replace(work, max_cost_micros_per_hour=int(whole) * 1_000_000 + int(parts.ljust(6, "0")))
        case _:
            return _of_copies(work, field, after)
    return replace(work, demand=replace(demand, resources=r))


def _of_copies(work: Workload, field: str, after: str) -> Workload:
    training, inference = work.training, work.inference
    if field == "training.workers" and training:
        return replace(work, training=replace(training, workers=int(after)))
    if field == "training.gang" and training:
        return replace(work, training=replace(training, gang=Gang(after)))
    assert inference is not None, field
    replicas = inference.replicas
    if field == "replicas.min":
        replicas = replace(replicas, minimum=int(after))
    else:
        assert field == "replicas.spread", field
        replicas = replace(replicas, spread=Spread(after))
    return replace(work, inference=replace(inference, replicas=replicas))


def _us(text: str) -> int:
    return int(text[:-2]) * (1000 if text.endswith("ms") else 1)


def _amount(text: str) -> int:
    return int(text[:-2]) * UNITS[text[-2:]] if text[-2:] in UNITS else int(text)


def _one_less(change: Change) -> Change | None:
    """One unit nearer to what was asked; None where there is nothing between."""
    match change.field:
        case "demand.gpus" | "training.workers" | "replicas.min":
            near = str(int(change.after) + 1)
        case "demand.gpuShare":
            near = f"{int(change.after[:-1]) + 1}m"
        case "demand.cpus":
            milli = int(change.after[:-1]) if change.after.endswith("m") else int(change.after) * 1000
            near = f"{milli + 1}m"
        case "demand.memory" | "demand.gpuMemory" | "data.bytesPerDay":
            near = str(_amount(change.after) + 1)
        case "latency.p99":
            near = f"{_us(change.after) - 1000}us"
            if _us(near) <= _us(change.before):
                return None
        case "maxCost":
            whole, _, parts = change.after.partition(".")
            micros = int(whole) * 1_000_000 + int(parts.ljust(6, "0")) - 1
            near = f"{micros // 1_000_000}.{micros % 1_000_000:06d}"
        case _:
            return None
    return replace(change, after=near)


def missing(q: Question, proposed: tuple[Relaxation, ...]) -> Iterator[str]:
    """Sites at which one field alone would do, or all together, and no proposal says so."""
    if q.work.spread is Spread.SITE:
        yield from _missing_over_sites(q, proposed)
        return
    said = {one.site for one in proposed if len(one.changes) == 1 or {c.field for c in one.changes} <= {*OF_DATA}}
    for name, facts in sorted(q.sites.items()):
        if name in said or name in q.exclude or not facts.reachable or facts.cordoned:
            continue
        for changes in (*_all_the_way(q.work, facts.site), *_homes(q, name)):
            if _tried(q, name, changes).winners:
                yield f"nothing is proposed for {name}, where {changes[0].field} alone would do"
        if not any(one.site == name for one in proposed):
            every = tuple(_everything(q, name))
            if _tried(q, name, every).winners:
                yield f"nothing is proposed for {name}, where these would do: {', '.join(one.field for one in every)}"


def _everything(q: Question, name: str) -> Iterator[Change]:
    """Giving way in all fields, as far as it goes in each."""
    changed: set[str] = set()
    for changes in (*_all_the_way(q.work, q.sites[name].site), *_homes(q, name)):
        yield from (one for one in changes if one.field not in changed)
        changed |= {one.field for one in changes}


def _missing_over_sites(q: Question, proposed: tuple[Relaxation, ...]) -> Iterator[str]:
    """The same of work that is spread over sites, which gives way in their number, or stands at one after all."""
    said = {change.field for one in proposed for change in one.changes}
    fewer = (Change("replicas.min", "", str(copies)) for copies in range(1, q.work.copies))
    for change in (*fewer, Change("replicas.spread", "", Spread.NONE.value)):
        work = changed(q.work, change)
        if change.field not in said and Judge(replace(q, work=work)).answer().winners:
            yield f"nothing is proposed, where {change.field} {change.after} would do"


def _all_the_way(work: Workload, site: Site) -> Iterator[tuple[Change, ...]]:
    """Giving way in one field as far as it goes."""
    r, demand, data = work.demand.resources, work.demand, work.data
    if work.latency:
        yield (Change("latency.p99", "", f"{FAR_MS}ms"),)
    if data.bytes_per_day > 1:
        yield (Change("data.bytesPerDay", "", "1"),)
    if not (data.deidentified and data.attestation):
        yield Change("data.deidentified", "", "true"), Change("data.attestation", "", data.attestation or "required")
    if r.gpus > 1:
        yield from ((Change("demand.gpus", "", str(fewer)),) for fewer in range(1, r.gpus))
    if r.gpu_memory_bytes > 1:
        yield (Change("demand.gpuMemory", "", "1"),)
    if demand.gpu_share_milli > 1:
        yield (Change("demand.gpuShare", "", "1m"),)
    if r.cpus_milli > 1:
        yield (Change("demand.cpus", "", "1m"),)
    if r.memory_bytes > 1:
        yield (Change("demand.memory", "", "1"),)
    if work.max_cost_micros_per_hour:
        yield (Change("maxCost", "", "1000000"),)
    if work.copies > 1:
        field = "training.workers" if work.training else "replicas.min"
        yield from ((Change(field, "", str(fewer)),) for fewer in range(1, work.copies))
    if work.spread is not Spread.NONE:
        field, none = ("training.gang", Gang.PACKED) if work.training else ("replicas.spread", Spread.NONE)
        yield (Change(field, "", none.value),)
    yield from _agreed("site.agreements", site)


def _homes(q: Question, name: str) -> Iterator[tuple[Change, ...]]:
    """What could be agreed upon for a home which is not the site itself."""
    for other, facts in q.sites.items():
        if facts.site.home and other != name:
            yield from _agreed(f"home.{other}.agreements", facts.site)


def _agreed(field: str, site: Site) -> Iterator[tuple[Change, ...]]:
    more = tuple(one for one in AGREEMENTS if one not in site.agreements)
    if more:
        yield (Change(field, "", ", ".join((*site.agreements, *more))),)
