"""Deciding again: a recorded decision beside what the same question, put to the same fold, gives now.

Pure, for the replay of a log. Where the two differ, `differences` names the input in which it shows: the law, the
prices, the fleet, the links, what is held, the teams; or the engine, where all of these are the same and the choice is
not. The log is the same log, so an input that differs was folded or read otherwise than it was then.

Who makes room is chosen again too: the first of them is displaced before the decision is recorded, so `Again` hears of
every event before the fold takes it in, and asks at the moment at which the broker did. Of what found no room it asks
as well whether anybody would have made some, where the broker asked: when a workload was decided first.

Limits: `MOST` differences of one decision, texts of `LONGEST` characters.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

from broker.core.decide.making_room import make_room, with_victims
from broker.core.decide.once import counted_out, going
from broker.core.decide.placing import place
from broker.core.decide.waiting import may_wait
from broker.core.records import WorkloadRecord
from broker.core.state import State
from tidegate.model.assignment import Phase
from tidegate.model.decision import Decision, Kind, Miss, Outcome, RuleColumn, Victim
from tidegate.model.errors import TidegateError
from tidegate.model.event import Event, WorkloadDecided, WorkloadDisplaced, WorkloadQueued
from tidegate.wire.codec import encode

MOST = 20
LONGEST = 200

LAW, PRICES, FLEET, LINKS, HELD, TEAMS, ENGINE = "law", "prices", "fleet", "links", "held", "teams", "engine"

_BY_KIND = {
    Kind.LAW: LAW,
    Kind.REACH: LINKS,
    Kind.SHAPE: FLEET,
    Kind.PRICE: PRICES,
    Kind.CAPACITY: HELD,
    Kind.QUOTA: TEAMS,
}
_OF_THE_FLEET = ("available", "engine")
_COMPARED = frozenset({"policies", "price_book", "candidates", "columns", "ranking"})


@dataclass(frozen=True, slots=True)
class Divergence:
    """One thing that came out otherwise."""

    input: str
    """`law`, `prices`, `fleet`, `links`, `held`, `teams` or `engine`."""
    about: str
    """A field of the decision, or a rule or the cost at a site."""
    recorded: str
    again: str


class Again:
    """Decides again what a log records, in its order. Give it every event that is to be decided again, and each one
    that displaces, before the fold takes it in.
    """

    def __init__(self) -> None:
        self._chosen: dict[str, tuple[Victim, ...]] = {}
        """By the workload that room is made for, who would make it, until its decision comes."""

    def before(self, state: State, event: Event) -> tuple[Divergence, ...]:
        """What differs, when the recorded decision (to wait included) is made again; empty for every other event.

        The state stands right before the event. What the same turn recorded between the revision and here (the
        submission itself, a predecessor that was cancelled to make room) is what the decision was made to follow.
        """
        if isinstance(event, WorkloadDisplaced) and event.by not in self._chosen:
            self._chosen[event.by] = _makes_room(state, state.workloads[event.by], event.at)
        if not isinstance(event, WorkloadDecided | WorkloadQueued):
            return ()
        record, decision = state.workloads[event.workload_id], event.decision
        chosen = self._chosen.pop(record.id, None)
        if chosen is None:
            first = record.decision is None and decision.outcome is not Outcome.PLACED and not event.among
            chosen = _makes_room(state, record, decision.decided_at) if first else ()
        try:
            made = place(
                state,
                record.workload,
                record.model,
                decision.decided_at,
                revision=decision.revision,
                without=record.id if isinstance(event, WorkloadDecided) and event.stop_first else "",
                goes=going(state, record.workload.name, record),
                among=event.among,
            )
        except TidegateError as error:
            return (Divergence(ENGINE, "answer", decision.outcome.value, str(error)[:LONGEST]),)
        if isinstance(event, WorkloadQueued) and _waits(record, made, event):
            made = replace(made, outcome=Outcome.WAITING)
        made = with_victims(made, chosen)
        if not decision.among:
            made = replace(made, among=b"")  # decided before it was recorded; the misses of `available` are compared
        if not decision.readings:
            made = replace(made, readings=())  # as above; those of `latency` are
        if encode(made) == encode(decision):
            return ()
        return differences(decision, made)


def _makes_room(state: State, record: WorkloadRecord, at: int) -> tuple[Victim, ...]:
    """Who would, were the workload to find none; nobody where the auditor does not pass them."""
    try:
        with counted_out(state, at, *going(state, record.workload.name, record)):
            refused = place(state, record.workload, record.model, at, audited=False, advise=False)
            if refused.outcome is Outcome.PLACED:
                return ()
            found = make_room(state, record.workload, record.model, at, refused)
    except TidegateError:
        return ()
    return found.victims if found else ()


def _waits(record: WorkloadRecord, made: Decision, event: WorkloadQueued) -> bool:
    """Whether what has no place waits for one: who made room for another does, whatever it said of waiting."""
    made_room = record.phase is Phase.WAITING
    return made.outcome is Outcome.REFUSED and (made_room or may_wait(record.workload, made, bool(event.among)))


def differences(recorded: Decision, made: Decision) -> tuple[Divergence, ...]:
    """The first `MOST`, inputs before what follows from them; never empty for decisions that are not the same."""
    found: list[Divergence] = []
    for one in _all(recorded, made):
        found.append(one)
        if len(found) == MOST:
            break
    return tuple(found) or (Divergence(ENGINE, "bytes", "", "the fields are the same, their bytes are not"),)


def _all(recorded: Decision, made: Decision) -> Iterator[Divergence]:
    if recorded.policies != made.policies:
        yield _told(LAW, "policies", recorded.policies, made.policies)
    if recorded.price_book != made.price_book:
        yield _told(PRICES, "price_book", recorded.price_book, made.price_book)
    if recorded.candidates != made.candidates:
        gone, came = set(recorded.candidates) - set(made.candidates), set(made.candidates) - set(recorded.candidates)
        yield _told(FLEET, "candidates", sorted(gone) or recorded.candidates, sorted(came) or made.candidates)
    yield from _verdicts(recorded, made)
    yield from _ranked(recorded, made)
    for field in fields(Decision):
        before, now = getattr(recorded, field.name), getattr(made, field.name)
        if field.name not in _COMPARED and before != now:
            yield _told(ENGINE, field.name, before, now)


def _verdicts(recorded: Decision, made: Decision) -> Iterator[Divergence]:
    before, now = ({column.rule: column for column in one.columns} for one in (recorded, made))
    sites = sorted(set(recorded.candidates) & set(made.candidates))
    for rule in [*before, *(rule for rule in now if rule not in before)]:
        if rule not in before or rule not in now:
            asked = ("asked", "not asked") if rule in before else ("not asked", "asked")
            yield Divergence(LAW if "/" in rule else ENGINE, rule, *asked)
            continue
        if before[rule] == now[rule]:
            continue
        input_ = FLEET if rule in _OF_THE_FLEET else _BY_KIND[now[rule].kind]
        misses = [_by_site(before[rule], recorded), _by_site(now[rule], made)]
        told = [_told(input_, f"{rule} at {site}", *_short(misses, site)) for site in sites if _differs(misses, site)]
        yield from told or [_told(ENGINE, rule, "because, kind or packing", "another")]


def _by_site(column: RuleColumn, decision: Decision) -> dict[str, Miss]:
    return {miss.site: miss for miss in column.misses(decision.candidates)}


def _differs(misses: list[dict[str, Miss]], site: str) -> bool:
    return misses[0].get(site) != misses[1].get(site)


def _short(misses: list[dict[str, Miss]], site: str) -> tuple[str, str]:
    """The verdicts; where both are "no", the fields of the misses that differ."""
    one, two = (side.get(site) for side in misses)
    if one is None or two is None:
        return ("allowed" if one is None else "refused", "allowed" if two is None else "refused")
    names = [field.name for field in fields(Miss) if getattr(one, field.name) != getattr(two, field.name)]
    before, now = (", ".join(f"{name} {getattr(miss, name)}" for name in names) for miss in (one, two))
    return before, now


def _ranked(recorded: Decision, made: Decision) -> Iterator[Divergence]:
    before, now = ({one.site: one for one in decision.ranked} for decision in (recorded, made))
    for site in sorted(before.keys() & now.keys()):
        one, two = before[site], now[site]
        if one.cost != two.cost:
            yield _told(PRICES, f"cost at {site}", one.cost, two.cost)
        if one.slots != two.slots:
            yield _told(HELD, f"slots at {site}", one.slots, two.slots)
        if one.penalty_micros_per_hour != two.penalty_micros_per_hour:
            yield _told(LAW, f"penalty at {site}", one.penalty_micros_per_hour, two.penalty_micros_per_hour)
        if one.score != two.score and one.cost == two.cost:
            yield _told(ENGINE, f"score at {site}", one.score, two.score)
    if before.keys() != now.keys():
        yield _told(ENGINE, "allowed", sorted(before), sorted(now))


def _told(input_: str, about: str, recorded: object, made: object) -> Divergence:
    return Divergence(input_, about, str(recorded)[:LONGEST], str(made)[:LONGEST])
