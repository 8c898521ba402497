"""Sites: agents attach, report and fall silent; operators cordon.

Silence stops nothing. A service may be replaced after a silence only where its own `disconnect` block says so; the
silent copy is left alone, and when the site returns `reconcile` says which copy stays.

Measurements are recorded only when they say something new: a bound that moved by more than a fifth and a millisecond,
but not within ten seconds of the last record, or a record that is older than ten minutes. So a pair of places, or a
model on a class of device, adds at most six events a minute and at least one in ten, however often it is measured.
Reports are recorded only when something but the moment has changed.
"""

from collections.abc import Mapping
from dataclasses import replace

from broker.core import lifecycle
from broker.core.commands import (
    KEY_CHARACTERS,
    NAME_CHARACTERS,
    CordonSite,
    RecordLinks,
    RecordServiceTimes,
    ReportStatuses,
    SiteAttached,
    SiteSilent,
    Tick,
)
from broker.core.decide.bounds import check_bounds
from broker.core.decide.keys import check_because, check_offers, earlier, reused
from broker.core.decide.models import made_by
from broker.core.decide.once import going
from broker.core.decide.placing import Deciding, Disagreement, Watch, place
from broker.core.decide.waiting import give_up
from broker.core.naming import versions_before
from broker.core.records import JOINED, UNKNOWN, SiteRecord, WorkloadRecord
from broker.core.replies import Done, Move, Moves
from broker.core.state import LINKS_KEPT, State
from tidegate.model.assignment import Phase, Status
from tidegate.model.decision import Outcome
from tidegate.model.errors import NotFound, Refused
from tidegate.model.event import (
    LinkMeasured,
    ModelRegistered,
    ServiceTimeMeasured,
    SiteCordoned,
    SiteJoined,
    SiteLost,
    WorkloadCancelled,
    WorkloadDecided,
    WorkloadProgressed,
)
from tidegate.model.sketch import LONGEST_US, MOST_SAMPLES, widened_us
from tidegate.model.workload import OnDisconnect, Reconcile

MOVED_PPM = 200_000
"""A measurement that moved by more than this share is news, where it moved by more than `NOISE_US` too."""
NOISE_US = 1_000
"""What a busy machine adds and takes away; objectives are in milliseconds."""
STALE_MS = 600_000
"""So is one whose last record is older than this."""
LEAST_MS = 10_000
"""Nothing is news so soon after the last record of the same."""

DETAIL_CHARACTERS = 4_096
METRICS = 64
ENDPOINTS = 64

DIGITS = 12
"""Of a measured time in microseconds; more is no measurement."""
SLOWEST_US = LONGEST_US
WINDOW_MS = 86_400_000


def known(state: State, site: str) -> SiteRecord:
    """The site of that name, or NotFound."""
    if (record := state.sites.get(site)) is None:
        raise NotFound("no such site", field="site", found=site, wanted="a site that was applied")
    return record


def attached(state: State, command: SiteAttached, watch: Watch) -> Deciding[Done]:
    """An agent is here. What it no longer runs, and was told to stop, has let go."""
    hello = command.hello
    record = known(state, hello.site)
    if len(hello.address) > NAME_CHARACTERS or len(hello.boot) > KEY_CHARACTERS:
        wanted = f"an address of {NAME_CHARACTERS} characters at most, a boot of {KEY_CHARACTERS}"
        raise Refused("is too long", field="hello", found=len(hello.address) + len(hello.boot), wanted=wanted)
    check_offers(hello.offers, "offers")
    for index, offer in enumerate(hello.offers):
        check_bounds(replace(offer, mig_layout=()), f"offers[{index}]")  # what cannot lie there is passed over later
    was_unknown = record.state == UNKNOWN
    yield SiteJoined(command.at, hello.site, hello.boot, hello.held_generation, hello.address, hello.offers)
    for workload_id, left_out_at in record.removed.items():
        workload = state.workloads.get(workload_id)
        let_go = workload_id not in hello.running and hello.held_generation >= left_out_at
        if let_go and workload and workload.phase is Phase.STOPPING and hello.site in workload.holding:
            status = Status(workload.id, hello.held_generation, Phase.CANCELLED, "not there any more", at=command.at)
            yield WorkloadProgressed(command.at, hello.site, status)
    if was_unknown:
        for workload_id in tuple(state.sites[hello.site].desired):
            workload = state.workloads[workload_id]
            keep = workload.workload.disconnect.reconcile is Reconcile.KEEP_ORIGINAL
            if keep and workload.live and hello.site in workload.leaving:
                yield from _decide_again(state, workload, command.at, f"site {hello.site} returned", watch, [])
                now = state.workloads[workload_id]
                if now.phase is Phase.RUNNING and hello.site in now.leaving:
                    # It could not be kept here (the site is being drained, say), and nothing more will be said of it.
                    status = Status(workload_id, hello.held_generation, Phase.STOPPING, "runs elsewhere", at=command.at)
                    yield WorkloadProgressed(command.at, hello.site, status, lets_go=True)
    return Done()


def silent(state: State, command: SiteSilent, watch: Watch) -> Deciding[Done]:
    """It cannot be reached. Its work goes on."""
    if known(state, command.site).state == JOINED:
        yield SiteLost(command.at, command.site)
    return Done()


def report(state: State, command: ReportStatuses, watch: Watch) -> Deciding[Done]:
    """What an agent observed. Reports about what is not there, or has ended, or say nothing new, change nothing."""
    known(state, command.site)
    for told in command.statuses:
        record = state.workloads.get(told.workload_id)
        status = _cut(told)
        if record is None or not _news(record, command.site, status):
            continue
        yield WorkloadProgressed(command.at, command.site, status)
        yield from _consequences(state, record, command.site, status, command.at)
    return Done()


def _cut(status: Status) -> Status:
    """What is kept of a report: it is told again and again, and is in every snapshot."""
    metrics = list(status.metrics.items())[:METRICS]
    return replace(
        status,
        detail=status.detail[:DETAIL_CHARACTERS],
        endpoints=status.endpoints[:ENDPOINTS],
        outputs=status.outputs[:ENDPOINTS],
        metrics={key[:NAME_CHARACTERS]: text[:NAME_CHARACTERS] for key, text in metrics},
    )


def _news(record: WorkloadRecord, site: str, status: Status) -> bool:
    if site not in (*record.sites, *record.leaving, *record.holding) or record.phase is None or record.phase.ended:
        return False
    before = record.statuses.get(site)
    stale = record.restarted and status.generation <= record.restarted  # from before it made room
    if stale and before is None and record.phase is Phase.STOPPING and status.phase.ended:
        stale = False  # the site never began it anew: it went from that older word to the one to stop
    if status.phase not in lifecycle.REPORTED or stale:
        return False
    return before is None or replace(before, at=status.at) != status


def _consequences(state: State, before: WorkloadRecord, site: str, status: Status, at: int) -> Deciding[None]:
    """What a report leads to in the same turn: a model, a measured service time, the end of what it supersedes."""
    record = state.workloads[before.id]
    if record.phase is Phase.SUCCEEDED and (model := made_by(state, record, site, status)):
        yield ModelRegistered(at, model)
    if measured := _service_time(state, record, site, status, at):
        yield measured
    if record.phase is Phase.RUNNING:
        for old in tuple(versions_before(state, record)):
            if old.live:
                yield WorkloadCancelled(at, old.id, f"superseded by {record.id}")


def _service_time(
    state: State, record: WorkloadRecord, site: str, status: Status, at: int
) -> ServiceTimeMeasured | None:
    """What a model server measured when it warmed up: the first word, until predictions have told more."""
    text = status.metrics.get("service_time_p99_us", "")
    plain = text.isdecimal() and len(text) <= DIGITS and int(text) > 0
    if not plain or record.model is None or record.id not in state.sites[site].desired:
        return None
    digest, p99_us = record.model.artifact.digest, int(text)
    device_class = device_class_of(state, site, digest)
    before = state.service_times.get(digest, {}).get(device_class)
    if not device_class or (before is not None and before.samples > 1):
        return None
    if before is not None and not _moved(before.p99_us, before.at, p99_us, at):
        return None
    return ServiceTimeMeasured(at, digest, device_class, p99_us)


def device_class_of(state: State, site: str, digest: str) -> str:
    """The class of device on which a model serves at a site; empty where it is not one class that somebody named."""
    record = state.sites.get(site)
    if record is None:
        return ""
    offers = {offer.name: offer.device_class for offer in record.effective.offers}
    serving = (each for each in record.desired.values() if each.model and each.model.artifact.digest == digest)
    holdings = (state.fleet.holdings.get(f"{each.workload_id}@{site}") for each in serving)
    classes = {offers.get(copy.offer, "") for holding in holdings if holding for copy in holding.copies}
    return classes.pop() if len(classes) == 1 else ""


def record_service_times(state: State, command: RecordServiceTimes, watch: Watch) -> Deciding[Done]:
    """Service times that are news. Times that nobody can have measured are passed over."""
    for served in command.times:
        sound = 0 < served.p99_us <= served.bound_us <= 2 * SLOWEST_US and 0 < served.samples <= MOST_SAMPLES
        if not sound or not served.device_class or not served.model_digest:
            continue
        before = state.service_times.get(served.model_digest, {}).get(served.device_class)
        learned = before is not None and before.samples == 1  # a warm-up's word gives way at once
        if before is None or learned or _moved(before.bound_us, before.at, served.bound_us, command.at):
            yield ServiceTimeMeasured(
                command.at,
                served.model_digest,
                served.device_class,
                served.p99_us,
                served.samples,
                served.p50_us,
                served.bound_us,
                served.window_ms,
            )
    return Done()


def record_links(state: State, command: RecordLinks, watch: Watch) -> Deciding[Done]:
    """Round trips that are news. Those of sites that nobody declared are passed over."""
    for probed in command.links:
        sound = 0 < probed.rtt_us <= SLOWEST_US and 0 < len(probed.origin) <= NAME_CHARACTERS
        if probed.site not in state.sites or not sound:
            continue
        links = state.links.get(probed.site, {})
        before = links.get(probed.origin)
        if before is None and len(links) >= LINKS_KEPT:
            continue
        bound_us = max(probed.bound_us, probed.rtt_us) if probed.bound_us else widened_us(probed.rtt_us, probed.samples)
        if bound_us > 2 * SLOWEST_US or not 0 < probed.samples <= MOST_SAMPLES:
            continue
        if before is None or _moved(before.bound_us, before.at, bound_us, command.at):
            yield LinkMeasured(
                command.at,
                probed.origin,
                probed.site,
                probed.rtt_us,
                probed.samples,
                min(max(probed.p50_us, 0), probed.rtt_us),
                bound_us,
                min(max(probed.window_ms, 0), WINDOW_MS),
            )
    return Done()


def _moved(before: int, before_at: int, now: int, now_at: int) -> bool:
    if now_at - before_at > STALE_MS:
        return True
    moved_us = abs(now - before)
    news = moved_us > NOISE_US and moved_us * 1_000_000 > before * MOVED_PPM
    return news and now_at - before_at >= LEAST_MS


def cordon(state: State, command: CordonSite, watch: Watch) -> Deciding[Done]:
    """No new work there, or new work again. What is so already needs no event but to keep a key's answer."""
    record = known(state, command.site)
    check_because(command.because)
    if answer := earlier(state, command.key, "lift" if command.lift else "cordon"):
        if answer.about != command.site:
            raise reused(command.key, answer)
        return Done()
    if record.cordoned == command.lift or command.key:
        yield SiteCordoned(command.at, command.site, not command.lift, command.because, command.key)
    return Done()


def due(state: State, at: int, silent: Mapping[str, int] | None = None) -> list[WorkloadRecord]:
    """Services whose silent site has been silent for as long as they allow, and that may be replaced elsewhere.

    `silent` as in `Tick`: how long a silence has lasted is not for a wall clock to say, which may be set.
    """
    late: list[WorkloadRecord] = []
    for site in state.sites.values():
        if site.state != UNKNOWN:
            continue
        lasted = at - site.since if silent is None else silent.get(site.site.name, 0)
        for workload_id in site.desired:
            record = state.workloads[workload_id]
            disconnect = record.workload.disconnect
            allowed = disconnect.replace is not OnDisconnect.NEVER
            if allowed and site.site.name in record.sites and lasted >= disconnect.replace_after_ms:
                late.append(record)
    return late


def tick(state: State, command: Tick, watch: Watch) -> Deciding[Moves]:
    """Replace what is due. `due` is asked first, so a tick with nothing to do leaves nothing behind."""
    moves: list[Move] = []
    alarms: list[str] = []
    for workload in due(state, command.at, command.silent):
        silent_sites = [site for site in workload.sites if state.sites[site].state == UNKNOWN]
        because = f"site {', '.join(silent_sites)} lost"
        yield from _decide_again(state, workload, command.at, because, watch, alarms)
        moves.append(Move(workload.id, workload.workload.name, state.workloads[workload.id].sites))
    yield from give_up(state, command.at, watch)
    return Moves(tuple(moves), tuple(alarms))


def _decide_again(
    state: State, record: WorkloadRecord, at: int, because: str, watch: Watch, alarms: list[str]
) -> Deciding[None]:
    """A new decision for a live workload, recorded only where it places it: otherwise it stays as it was."""
    try:
        goes = going(state, record.workload.name, record)
        decision = place(state, record.workload, record.model, at, watch, goes=goes, advise=False)
    except Disagreement as error:
        alarms.append(str(error))
        return
    if decision.outcome is Outcome.PLACED and decision.sites != record.sites:
        yield WorkloadDecided(at, record.id, decision, because)
