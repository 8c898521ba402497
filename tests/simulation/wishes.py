"""What people ask for, drawn from the seed: work of every kind, and everything that changes under it.

A request is a verb and a call; the call may be made several times (an answer that was lost), and then asks for the same
thing under the same key. `Wishes` draws one request; which kinds there are is the seed's habits.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random
from typing import Any

from tests.simulation.clocks import BORN_MS
from tests.simulation.ground import TEAMS, declared, prices
from tests.simulation.loop import elapse
from tests.simulation.swarm import Settings
from tests.support.builders import GIB, book, job, service
from tidegate.model.money import PriceBook, Quota, Team
from tidegate.model.policy import Effect, Expression, Operator, Policy, Rule
from tidegate.model.quantity import Resources
from tidegate.model.site import Tier
from tidegate.model.workload import (
    Demand,
    Disconnect,
    OnDisconnect,
    Prefer,
    Priority,
    Reconcile,
    Replicas,
    Spread,
    Wait,
    Workload,
)
from tidegate.v1 import fleet_pb2, workloads_pb2
from tidegate.v1.fleet_pb2_grpc import FleetStub
from tidegate.v1.workloads_pb2_grpc import WorkloadsStub
from tidegate.wire.codec import to_message

PATIENCE_S = 10.0
Call = Callable[[Any], Awaitable[str]]
UNASKED = "nothing to adopt"
"""What comes of a plan without a move, which is not sent."""

WEIGHTS = {"submit": 60, "cancel": 12, "cordon": 6, "drain": 6}
BY_HABIT = {
    "law": (("law", 8),),
    "teams": (("team", 6),),
    "prices": (("price", 6),),
    "plans": (("plan", 14), ("price", 10), ("law", 4)),
    "revisions": (("revision", 12),),
    "sites": (("site", 4),),
}


class Wishes:
    """One request's: everything in it follows from `random`."""

    def __init__(self, settings: Settings, random: Random, key: str, who: str, number: int) -> None:
        self._settings, self._random, self._key, self._number = settings, random, key, number
        self._names = tuple(f"{who}-{each}" for each in range(4))
        self.revision = 0
        """What the submission stands on, where it does."""
        self._who = who

    def draw(self) -> tuple[str, Call]:
        """A verb and its call, whose answer is what must come again."""
        weights = WEIGHTS | dict(each for habit in self._settings.habits for each in BY_HABIT.get(habit, ()))
        (verb,) = self._random.choices(tuple(weights), tuple(weights.values()))
        name, site = self._random.choice(self._names), self._random.choice(self._settings.sites)
        match verb:
            case "submit":
                return verb, self._submit(self._workload(name), on_revision=False)
            case "revision":
                return "submit", self._submit(self._workload(name), on_revision=True)
            case "cancel":
                return verb, self._cancel(name)
            case "cordon":
                return verb, self._cordon(site, lift=self._random.random() < 0.6)
            case "drain":
                return verb, self._drain(site)
            case "law":
                return verb, self._apply(policy=to_message(self._policy()))
            case "team":
                return verb, self._apply(team=to_message(self._team()))
            case "price":
                return verb, self._apply(price_book=to_message(self._book()))
            case "site":
                return verb, self._apply(site=to_message(self._site(site)))
        return "plan", self._plan(self._random.choice((0.0, 0.0, 0.0, 6.0)) * self._random.random())

    # What is asked for

    def _workload(self, name: str) -> Workload:
        random = self._random
        cpus = random.choice((500, 1_000, 2_000, 3_000))
        need = Demand(Resources(cpus_milli=cpus, memory_bytes=2**29))
        if "gpus" in self._settings.habits and random.random() < 0.4:
            need = random.choice(
                (
                    Demand(Resources(gpus=random.choice((1, 1, 2)), cpus_milli=500, memory_bytes=2**29)),
                    Demand(
                        Resources(gpu_memory_bytes=4 * GIB, cpus_milli=500, memory_bytes=2**29),
                        gpu_share_milli=random.choice((250, 500)),
                        time_slicing=True,
                    ),
                )
            )
        if random.random() < 0.35:
            workload = job(name)
            assert workload.training is not None
            training = replace(workload.training, workers=random.randint(1, 3), code_digest="")
            workload = replace(workload, training=training)
        else:
            workload = service(name, disconnect=self._block())
            assert workload.inference is not None
            copies = random.choice((1, 1, 1, 2))
            spread = random.choice((Spread.NONE, Spread.SITE))
            inference = replace(workload.inference, replicas=Replicas(copies, copies, spread))
            workload = replace(workload, inference=inference)
        return self._standing(replace(workload, demand=need))

    def _standing(self, workload: Workload) -> Workload:
        """Whose it is, how important, and how long it waits."""
        random = self._random
        if "teams" in self._settings.habits:
            workload = replace(workload, team=random.choice((*TEAMS, "")))
        if "prices" in self._settings.habits and random.random() < 0.2:
            workload = replace(workload, prefer=Prefer(tiers=(random.choice(tuple(Tier)),)))
        if "waits" in self._settings.habits:
            workload = replace(
                workload,
                wait=random.choice((None, Wait(), Wait(20_000), Wait(never=True))),
                priority=random.choice((None, None, *Priority)),
                preemptible=random.random() < 0.3,
            )
        return workload

    def _block(self) -> Disconnect:
        random = self._random
        if random.random() < 0.5:
            return Disconnect()
        return Disconnect(
            serve_for_ms=random.choice((0, 0, 20_000)),
            replace=random.choice((OnDisconnect.NEVER, OnDisconnect.ANYWHERE)),
            replace_after_ms=random.choice((5_000, 15_000)),
            reconcile=random.choice((Reconcile.KEEP_ORIGINAL, Reconcile.KEEP_REPLACEMENT)),
        )

    def _policy(self) -> Policy:
        """A new version of this engineer's own policy; one without rules withdraws it."""
        random = self._random
        when = (Expression("data.classes", Operator.CONTAINS_ANY, ("operational",)),)
        keys = (("site.jurisdiction", ("DE", "US")), ("site.tier", ("edge", "on-prem", "cloud")))
        key, values = random.choice(keys)
        effect = random.choice((Effect.ENFORCE, Effect.ENFORCE, Effect.PREFER, Effect.WARN))
        rule = Rule(
            name="where",
            because="drawn",
            when=when,
            require=(Expression(key, random.choice((Operator.IN, Operator.NOT_IN)), (random.choice(values),)),),
            effect=effect,
            penalty_micros_per_hour=random.randint(1, 400_000) if effect is Effect.PREFER else 0,
        )
        return Policy(self._who, self._number, rules=random.choice(((rule,), (rule,), ())))

    def _team(self) -> Team:
        random = self._random
        amount = random.choice((0, 2_000, 4_000, 8_000))
        limit = random.choice((None, None, amount + 4_000))
        lends = random.choice((None, Quota(Resources(cpus_milli=1_000))))
        return Team(
            random.choice(TEAMS),
            guaranteed=Resources(cpus_milli=amount),
            limit=Resources(cpus_milli=limit) if limit else None,
            borrowing=random.random() < 0.8,
            lending_limit=lends if amount else None,
            budget_micros_per_month=random.choice((0, 0, 200_000_000)),
        )

    def _book(self) -> PriceBook:
        """Prices that hold from some moment of the history on, before it or after its end."""
        random = self._random
        since = BORN_MS + random.choice((-60_000, 0, int(self._settings.lasts_s * 1_000 * random.random()), 3_600_000))
        return book(version=self._number + 1, effective_from=since, prices=prices(random))

    def _site(self, name: str) -> Any:
        site = declared(self._settings, self._settings.sites.index(name))
        if self._random.random() < 0.5:
            return site
        return replace(site, jurisdiction=self._random.choice(("DE", "US", "FR")), certifications=("iso-27001",))

    # How it is asked

    def _submit(self, workload: Workload, *, on_revision: bool) -> Call:
        later_s = self._random.random() ** 4 * 4

        async def call(channel: Any) -> str:
            stub = WorkloadsStub(channel)
            if on_revision and not self.revision:
                plan = await stub.Plan(workloads_pb2.PlanRequest(workload=to_message(workload)), timeout=PATIENCE_S)
                self.revision = plan.revision
                await elapse(later_s)
            request = workloads_pb2.SubmitRequest(
                workload=to_message(workload), idempotency_key=self._key, if_revision=self.revision
            )
            answer = await stub.Submit(request, timeout=PATIENCE_S)
            return str(answer.workload_id)

        return call

    def _cancel(self, name: str) -> Call:
        async def call(channel: Any) -> str:
            request = workloads_pb2.CancelRequest(workload=name, idempotency_key=self._key)
            answer = await WorkloadsStub(channel).Cancel(request, timeout=PATIENCE_S)
            return str(answer.view.id)

        return call

    def _cordon(self, site: str, *, lift: bool) -> Call:
        async def call(channel: Any) -> str:
            request = fleet_pb2.CordonRequest(site=site, lift=lift, idempotency_key=self._key)
            answer = await FleetStub(channel).Cordon(request, timeout=PATIENCE_S)
            return str(answer.site.site.name)

        return call

    def _drain(self, site: str) -> Call:
        async def call(channel: Any) -> str:
            request = fleet_pb2.DrainRequest(site=site, idempotency_key=self._key)
            await FleetStub(channel).Drain(request, timeout=PATIENCE_S)
            return site

        return call

    def _apply(self, **declaration: Any) -> Call:
        async def call(channel: Any) -> str:
            request = fleet_pb2.ApplyRequest(
                declarations=[fleet_pb2.Declaration(**declaration)], idempotency_key=self._key
            )
            answer = await FleetStub(channel).Apply(request, timeout=PATIENCE_S)
            return " ".join(applied.name for applied in answer.applied)

        return call

    def _plan(self, later_s: float) -> Call:
        """Propose once, wait, and adopt: what has changed meanwhile makes the plan stale."""
        proposed: Any = None

        async def call(channel: Any) -> str:
            nonlocal proposed
            if proposed is None:
                request = fleet_pb2.ProposePlanRequest(horizon_hours=8_760)
                proposed = (await FleetStub(channel).ProposePlan(request, timeout=PATIENCE_S)).plan
                await elapse(later_s)
            if not proposed.moves:
                return UNASKED
            request = fleet_pb2.AdoptPlanRequest(plan=proposed, idempotency_key=self._key)
            await FleetStub(channel).AdoptPlan(request, timeout=PATIENCE_S)
            return "adopted"

        return call
