"""Random small questions: up to four sites of up to two offers of up to three units, on which other work may stand.

Drawn so that things collide: few names, few sizes, limits that are nearly met. One number gives one question. Questions
come in moods, since what is drawn evenly from everything is mostly refused for three reasons at once:

    anything   law, distance, prices, teams and room, all at once
    calm       nothing in the way but room and price: where one change helps
    lawful     roomy and priced places, and law that forbids some of them: what law costs
    distant    a promise of latency, over ways that were measured or declared
    crowded    full sites and teams with guarantees: who waits, and who makes room for whom
    metered    quotas on models of GPU, budgets and ceilings, all nearly met: every fifth question, by its number
"""

from placement.fleet.facts import Carried, Copy, Holding, Measurement, SiteFacts
from placement.quota.ledger import Right
from tests.placement.oracle import room
from tests.placement.oracle.dice import DIGEST, GIB, NOW, ORIGINS, Dice
from tests.placement.oracle.drawn_law import accounts, book, policy, teams
from tests.placement.oracle.drawn_work import demand, small_demand, workload
from tests.placement.oracle.question import Case, Question, Ran
from tidegate.model.quantity import Resources
from tidegate.model.site import Engine, GpuSharing, MigInstance, Offer, Pricing, Reach, Site, Tier
from tidegate.model.workload import Priority

__all__ = ["DIGEST", "NOW", "ORIGINS", "case"]

ANYTHING, CALM, LAWFUL, DISTANT, CROWDED, METERED = "anything", "calm", "lawful", "distant", "crowded", "metered"
HELD = {CROWDED: (3, 4, 5, 6), METERED: (0, 1, 2, 3)}
"""How many workloads stand."""
MOODS = (ANYTHING,) * 5 + (CALM,) * 4 + (LAWFUL,) * 4 + (DISTANT,) * 2 + (CROWDED,) * 5


def case(number: int) -> Case:
    """The question of a number."""
    dice = Dice(number)
    return Case(number, _question(dice, METERED if number % 5 == 3 else dice.choice(MOODS)))


def _question(dice: Dice, mood: str) -> Question:
    anything, crowded = mood == ANYTHING, mood in (CROWDED, METERED)
    sites = [
        site(dice, f"s{number}", mood)
        for number in range(dice.one(0, 1, 2, 2, 3, 3, 4) if anything else dice.one(1, 2, 2, 3))
    ]
    facts = {
        one.name: SiteFacts(
            one, dice.often(0.93 if anything else 1), dice.often(0.06 if anything else 0), _observed(dice, one)
        )
        for one in sites
    }
    holdings: list[Holding] = []
    ran: dict[str, Ran] = {}
    for number in range(dice.one(*HELD.get(mood, (0, 0, 1, 2, 4)))):
        stand(dice, list(facts.values()), holdings, f"h{number}", mood)
        ran[f"h{number}"] = _ran(dice)
    links, times = {}, {}
    for origin in ORIGINS:
        for one in sites:
            if dice.often(0.4):
                links[origin, one.name] = measured(dice, 2_000, 9_000, 30_000)
    for device_class in ("cpu", "gpu", ""):
        if dice.often(0.3):
            times[DIGEST, device_class] = measured(dice, 500, 3_000)
    declared = teams(dice, crowded, metered=mood == METERED)
    return Question(
        work=workload(dice, mood),
        sites=dict(sorted(facts.items())),
        links=links,
        service_times=times,
        holdings=tuple(holdings),
        policies=tuple(policy(dice, f"p{number}") for number in range(_policies(dice, mood))),
        books=tuple(
            book(dice, number)
            for number in range(dice.one(1, 2) if mood in (LAWFUL, METERED) else dice.one(0, 1, 1, 2, 3))
        ),
        teams=declared,
        digest=DIGEST,
        now=NOW,
        exclude=frozenset(dice.some([one.name for one in sites], 2)) if anything and dice.often(0.1) else frozenset(),
        accounts=accounts(dice, holdings if mood == METERED else [])
        if any(team.budget_micros_per_month for team in declared)
        else {},
        ran=ran,
        aside=frozenset(dice.some([one.workload_id for one in holdings], 2)) if dice.often(0.1) else frozenset(),
    )


def _policies(dice: Dice, mood: str) -> int:
    return dice.choice(
        {ANYTHING: (0, 0, 0, 1, 2), CALM: (0, 0, 1), LAWFUL: (1, 1, 2), DISTANT: (0,)}.get(mood, (0, 0, 0, 1))
    )


def _ran(dice: Dice) -> Ran:
    since = dice.one(0, NOW - 7_200_001, NOW - 600_000)
    saved = NOW - dice.one(300_000, 900_000) if since and dice.often(0.3) else 0
    return Ran(since, saved, dice.one(0, 0, 600_001))


def _observed(dice: Dice, one: Site) -> tuple[Offer, ...]:
    """An agent that found other offers than were declared."""
    return tuple(offer(dice, f"o{number}") for number in range(dice.one(1, 2))) if dice.often(0.04) else ()


def measured(dice: Dice, *us: int) -> Measurement:
    """A time, when it was measured, and on how many samples."""
    at = NOW - dice.one(0, 1_800_000, 1_800_001, 86_400_000, 86_400_001)
    return Measurement(dice.choice(us), at, dice.one(1, 19, 20, 400))


def site(dice: Dice, name: str, mood: str) -> Site:
    """A place."""
    country, every = dice.one("DE", "US", "CH"), tuple(Engine)
    offers = tuple(
        offer(dice, f"o{number}", roomy=mood != ANYTHING)
        for number in range(dice.one(0, 1, 1, 1, 2, 2, 2) if mood == ANYTHING else dice.one(1, 1, 2))
    )
    few = dice.one((Engine.RAY,), (Engine.PROCESS,), (Engine.RAY, Engine.KUBERNETES), *(every,) * 5)
    return Site(
        name=name,
        tier=dice.one(*Tier),
        operator=dice.one("self", "aws"),
        jurisdiction=country,
        operator_jurisdiction=dice.one("", "US"),
        region=dice.one("", "r1", "r2"),
        location=dice.one("", *ORIGINS),
        engines=few if mood == ANYTHING else every,
        offers=offers,
        agreements=dice.one((), ("baa",), ("baa", "scc")),
        reach=tuple(Reach(origin, dice.one(0, 3_000, 12_000)) for origin in dice.some(ORIGINS, 2)),
        uplink_bytes_per_day=dice.one(0, 0, 3 * GIB) if mood != CROWDED else dice.one(0, 0, 0, 3 * GIB),
        labels=dice.one({}, {"floor": "2"}, {"floor": "high"}),
        jurisdiction_region=dice.one("", {"US": "US-CA", "DE": "DE-SN"}.get(country, "")),
        retention_days=dice.one(0, 2555),
        home=dice.often(0.06),
    )


def offer(dice: Dice, name: str, *, roomy: bool = False) -> Offer:
    """What a place can give."""
    gpus = dice.one(0, 1, 2, 4) if roomy else dice.one(0, 0, 1, 1, 2, 4)
    model = dice.one("a30", "a100", "l4") if gpus else ""
    sharing = dice.one(*GpuSharing) if gpus else GpuSharing.NONE
    size = {"a30": 24, "a100": 40, "l4": 24}.get(model, 0) * GIB
    layout: tuple[MigInstance, ...] = ()
    if sharing is GpuSharing.MIG and dice.often(0.3):
        names = ("1g.6gb", "2g.12gb") if model == "a30" else ("1g.5gb", "3g.20gb")
        layout = tuple(MigInstance(0, dice.choice(names), dice.one(0, 2, 4)) for _ in range(dice.one(1, 2)))
    return Offer(
        name=name,
        resources=Resources(
            gpus, size, dice.one(1_000, 2_000, 4_000, 4_000) * (2 if roomy else 1), dice.one(2, 4, 8, 8) * GIB
        ),
        count=dice.one(1, 1, 2) if roomy else dice.one(0, 1, 1, 2, 2, 3),
        elastic=dice.often(0.3),
        pricing=dice.one(*Pricing),
        instance_type=dice.one("", "small", "large", "unlisted"),
        gpu_model=model,
        device_class=dice.one("cpu", "gpu", ""),
        zone=dice.one("", "a", "b"),
        gpu_sharing=sharing,
        mig_layout=layout,
    )


def stand(dice: Dice, sites: list[SiteFacts], holdings: list[Holding], name: str, mood: str) -> None:
    """Other work: up to three copies of one demand, on seats that are free, at a site or two."""
    crowded = mood in (CROWDED, METERED)
    asked = small_demand(dice) if crowded else demand(dice)
    need = room.needs_of(asked)[-1 if dice.often(0.3) else 0]
    team = dice.one("", "vision", "press", "press", "lab") if crowded else dice.one("", "vision", "press")
    importance = dice.one(*Priority)
    yields = importance is not Priority.PRODUCTION or dice.often(0.3)
    copies: list[Copy] = []
    for _ in range(dice.one(1, 1, 1, 2, 3)):
        if copy := _seated(dice, sites, holdings, copies, need):
            copies.append(copy)
    sent = dice.one(0, 0, GIB, 2 * GIB)
    for place in dict.fromkeys(copy.site for copy in copies):
        here = tuple(copy for copy in copies if copy.site == place)
        carried = (Carried(place, sent),) if sent else ()
        right = Right(importance, yields, len(holdings) + 1)
        holdings.append(Holding(f"{name}@{place}", team, here, carried, right))


def _seated(
    dice: Dice, sites: list[SiteFacts], holdings: list[Holding], mine: list[Copy], need: room.Need
) -> Copy | None:
    offers = [(facts.site.name, one) for facts in sites for one in facts.offers if one.count]
    if not offers:
        return None
    place, on = dice.choice(offers)
    unit = dice.randrange(on.count)
    everybody = [*(copy for holding in holdings for copy in holding.copies), *mine]
    there = [copy for copy in everybody if (copy.site, copy.offer, copy.unit) == (place, on.name, unit)]
    seats = room.seats(on, there, need)
    if not seats:
        return None
    seat = dice.choice(seats)
    held = Resources(need.gpus, need.gpu_memory, need.cpus, need.memory)
    return Copy(place, on.name, unit, held, seat.gpus, need.share, need.profile, seat.start)
