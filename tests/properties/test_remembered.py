"""What is remembered never changes an answer: a fleet that has answered before decides as one that has just been made.

Between two questions anything may happen to the fleet: copies come and go, sites fall silent and return, links and
service times are measured, a site is declared anew, the law changes, time passes.
"""

import os
import subprocess
import sys
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from placement.audit.auditor import audit
from placement.engine import decide
from placement.fleet.fleet import Fleet
from placement.law.law import Law
from tests.properties.worlds import ORIGINS, World, laws, workloads, worlds
from tests.properties.wrong import mutants
from tidegate.model.decision import Decision
from tidegate.model.policy import Effect, Expression, Operator, Policy, Rule
from tidegate.model.workload import Workload
from tidegate.wire.codec import encode

MODEL = "m"
HOUR_MS = 3_600_000


def asked(workload: Workload, fleet: Fleet, law: Law, now: int) -> Decision:
    return decide(workload, fleet, law, now=now, revision=9, model_digest=MODEL)


def again(fleet: Fleet) -> Fleet:
    """The same facts in a fleet that has never been asked anything."""
    fresh = Fleet()
    for name, known in fleet.sites.items():
        fresh.put_site(known.site, reachable=known.reachable, cordoned=known.cordoned, observed=known.observed)
        assert name == known.site.name
    for (origin, site), seen in fleet.links.items():
        fresh.put_link(origin, site, seen.us, seen.measured_at, seen.samples, seen.p99_us)
    for (digest, device_class), seen in fleet.service_times.items():
        fresh.put_service_time(digest, device_class, seen.us, seen.measured_at, seen.samples, seen.p99_us)
    for holding in fleet.holdings.values():
        fresh.restore(holding)
    for holder in fleet.aside:
        fresh.set_aside(holder)
    return fresh


def happen(data: st.DataObject, fleet: Fleet, workload: Workload, decision: Decision, number: int, now: int) -> None:
    """Something changes, or nothing does."""
    sites = sorted(fleet.sites)
    what = data.draw(
        st.sampled_from(("take", "take", "release", "aside", "state", "link", "time", "declare", "nothing"))
    )
    if what == "take" and decision.slots:
        fleet.take(f"w{number}", decision.slots, workload.demand, workload.team)
    elif what == "release" and fleet.holdings:
        fleet.release(data.draw(st.sampled_from(sorted(fleet.holdings))))
    elif what == "aside" and fleet.holdings:
        holder = data.draw(st.sampled_from(sorted(fleet.holdings)))
        (fleet.count_again if holder in fleet.aside else fleet.set_aside)(holder)
    elif what == "time":
        fleet.put_service_time(MODEL, data.draw(st.sampled_from(("cpu", "gpu"))), data.draw(st.integers(0, 9_000)), now)
    elif sites:
        name = data.draw(st.sampled_from(sites))
        known = fleet.sites[name]
        if what == "state":
            fleet.put_site(known.site, reachable=data.draw(st.booleans()), cordoned=data.draw(st.booleans()))
        elif what == "link":
            fleet.put_link(data.draw(st.sampled_from(ORIGINS)), name, data.draw(st.sampled_from((900, 59_000))), now)
        elif what == "declare":
            site = replace(known.site, agreements=data.draw(st.sampled_from(((), ("baa",), ("scc",)))))
            fleet.put_site(site, reachable=known.reachable, cordoned=known.cordoned)


@settings(max_examples=120, deadline=None)
@given(st.lists(workloads(), min_size=1, max_size=4), worlds(), st.lists(laws(), min_size=1, max_size=2), st.data())
def test_what_is_remembered_never_changes_an_answer(
    mixed: list[Workload], world: World, several: list[Law], data: st.DataObject
) -> None:
    fleet, now = world.fleet(), 5
    for number in range(data.draw(st.integers(3, 8))):
        workload = replace(data.draw(st.sampled_from(mixed)), name=data.draw(st.sampled_from(("a", "b", "c"))))
        law = data.draw(st.sampled_from(several))
        now += data.draw(st.sampled_from((0, 1, HOUR_MS, 25 * HOUR_MS)))
        decision = asked(workload, fleet, law, now)
        never_asked = Law(law.policies, law.price_book, law.teams, law.books)
        assert encode(decision) == encode(asked(workload, again(fleet), never_asked, now))
        happen(data, fleet, workload, decision, number, now)


@settings(max_examples=120, deadline=None)
@given(workloads(), worlds(), laws(), st.data())
def test_a_newcomer_that_differs_in_a_word_alone_is_packed_as_if_nobody_had_come_before(
    workload: Workload, world: World, law: Law, data: st.DataObject
) -> None:
    """Each is of a class of its own, so nothing is remembered but what price lists are kept with."""
    fleet = world.fleet()
    for number in range(data.draw(st.integers(4, 8))):
        newcomer = replace(workload, labels={"number": str(number)})
        decision = asked(newcomer, fleet, law, 5)
        assert encode(decision) == encode(asked(newcomer, again(fleet), law, 5))
        happen(data, fleet, newcomer, decision, number, 5)


@settings(max_examples=60, deadline=None)
@given(st.lists(workloads(), min_size=1, max_size=4), worlds(), laws(), st.data())
def test_what_the_auditor_keeps_never_changes_its_judgement(
    mixed: list[Workload], world: World, law: Law, data: st.DataObject
) -> None:
    fleet, now = world.fleet(), 5
    for number in range(data.draw(st.integers(2, 6))):
        workload = data.draw(st.sampled_from(mixed))
        now += data.draw(st.sampled_from((0, 1, HOUR_MS, 25 * HOUR_MS)))
        decision = asked(workload, fleet, law, now)
        wrong = data.draw(st.sampled_from(mutants(decision)))[1]
        for one in (decision, wrong):
            fresh = audit(workload, one, again(fleet), law, model_digest=MODEL)
            assert audit(workload, one, fleet, law, model_digest=MODEL) == fresh
        assert audit(workload, decision, fleet, law, model_digest=MODEL) == ()
        happen(data, fleet, workload, decision, number, now)


OF_OFFERS = (
    Expression("offer.pricing", Operator.NOT_IN, ("spot",)),
    Expression("offer.pricing", Operator.IN, ("spot", "owned")),
    Expression("offer.zone", Operator.EXISTS),
    Expression("offer.gpus", Operator.GE, ("1",)),
    Expression("offer.elastic", Operator.IN, ("true",)),
)


@st.composite
def leaning_laws(draw: st.DrawFn) -> Law:
    """Beside what may be in force, one to three rules that prefer some offers."""
    law = draw(laws())
    leaning = tuple(
        Rule(
            f"r{number}",
            require=(draw(st.sampled_from(OF_OFFERS)),),
            effect=Effect.PREFER,
            penalty_micros_per_hour=draw(st.sampled_from((1, 250_000, 10**9))),
        )
        for number in range(draw(st.integers(1, 3)))
    )
    return Law((*law.policies, Policy("leaning", 1, rules=leaning)), law.price_book, law.teams, law.books)


@settings(max_examples=120, deadline=None)
@given(st.lists(workloads(), min_size=1, max_size=3), worlds(), leaning_laws(), st.data())
def test_what_is_preferred_of_offers_is_remembered_as_it_is_found(
    mixed: list[Workload], world: World, law: Law, data: st.DataObject
) -> None:
    fleet, now = world.fleet(), 5
    for number in range(data.draw(st.integers(3, 8))):
        workload = data.draw(st.sampled_from(mixed))
        now += data.draw(st.sampled_from((0, 1, HOUR_MS, 25 * HOUR_MS)))
        decision = asked(workload, fleet, law, now)
        assert encode(decision) == encode(asked(workload, again(fleet), law, now))
        assert audit(workload, decision, fleet, law, model_digest=MODEL) == ()
        happen(data, fleet, workload, decision, number, now)


SCRIPT = """
import hashlib, random
from tests.bench import decisions, fleets
from tidegate.wire.codec import encode
dice = random.Random(4)
fleets.SITES = 60
fleet, law = fleets.a_fleet(dice, 5), fleets.a_law(dice)
digest = hashlib.sha256()
for number in range(40):
    workload = fleets.a_workload(dice, number % 25)
    decision = decisions.explain(workload, fleet, law)
    digest.update(encode(decision))
    if decision.slots:
        fleet.take(workload.name, decision.slots, workload.demand, workload.team)
print(digest.hexdigest())
"""


def test_the_same_bytes_under_any_hash_seed() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4711")
    }
    assert len(told) == 1
