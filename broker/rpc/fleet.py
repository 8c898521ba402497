"""The Fleet service: declarations, sites, cordon and drain."""

from typing import Any

from broker.core.commands import (
    KEY_CHARACTERS,
    AdoptPlan,
    ApplyDeclarations,
    CordonSite,
    Declaration,
    DrainSite,
    RecordLinks,
)
from broker.core.decide.draining import planned
from broker.core.decide.models import resolve
from broker.core.decide.proposing import HORIZON_HOURS, Wish
from broker.core.decide.rebalance import MOST_MOVES, TURN
from broker.core.decide.sites import known
from broker.core.replies import Moves
from broker.core.showback import teams
from broker.core.state import State
from broker.runtime.clock import Clock
from broker.runtime.gathered import RoundTrips, expected
from broker.runtime.loop import Loop
from broker.runtime.planner import Planner
from broker.runtime.sessions import Sessions
from tidegate.model.errors import Refused
from tidegate.model.money import PriceBook, Team
from tidegate.model.plan import FLEET_GOALS, Goal, Plan
from tidegate.model.policy import Policy
from tidegate.model.session import Probed
from tidegate.model.site import Site
from tidegate.model.workload import Workload
from tidegate.v1 import fleet_pb2 as wire
from tidegate.v1 import plan_pb2
from tidegate.v1.fleet_pb2_grpc import FleetServicer
from tidegate.wire.codec import from_message, to_message

MOST_LINKS = 1_000
"""In one report of a client."""

_NOUNS: dict[str, type[Declaration]] = {"site": Site, "policy": Policy, "team": Team, "price_book": PriceBook}


class Fleet(FleetServicer):
    """Convert, call, convert."""

    def __init__(self, loop: Loop, sessions: Sessions, clock: Clock, round_trips: RoundTrips, planner: Planner) -> None:
        self._loop = loop
        self._planner = planner
        self._clock = clock
        self._round_trips = round_trips
        self._sessions = sessions

    async def Apply(self, request: Any, context: Any) -> Any:
        """All of them or none."""
        nouns = tuple(_declaration(message, index) for index, message in enumerate(request.declarations))
        done = await self._loop.ask(ApplyDeclarations(0, nouns, request.idempotency_key))
        offset = await self._loop.read(lambda state, at: state.offset)
        applied = [wire.Applied(kind=d.kind, name=d.name, outcome=d.outcome) for d in done.declared]
        return wire.ApplyResponse(applied=applied, offset=offset, outlawed=done.outlawed, warnings=done.warnings)

    async def ListSites(self, request: Any, context: Any) -> Any:
        """In the order they were declared."""
        views = await self._loop.read(lambda state, at: [record.view() for record in state.sites.values()])
        return wire.ListSitesResponse(sites=[to_message(self._sessions.as_heard(view)) for view in views])

    async def GetSite(self, request: Any, context: Any) -> Any:
        """One site, with what was measured."""
        view, links = await self._loop.read(
            lambda state, at: (known(state, request.site).view(), dict(state.links.get(request.site, {})))
        )
        measured = [
            wire.Link(
                origin=origin,
                rtt_us=link.rtt_us,
                measured_at=link.at,
                samples=link.samples,
                p50_us=link.p50_us,
                bound_us=link.bound_us,
            )
            for origin, link in links.items()
        ]
        return wire.GetSiteResponse(site=to_message(self._sessions.as_heard(view)), links=measured)

    async def Cordon(self, request: Any, context: Any) -> Any:
        """No new work there, or new work again."""
        await self._loop.ask(CordonSite(0, request.site, request.lift, request.because, request.idempotency_key))
        view = await self._loop.read(lambda state, at: known(state, request.site).view())
        return wire.CordonResponse(site=to_message(self._sessions.as_heard(view)))

    async def Drain(self, request: Any, context: Any) -> Any:
        """Where each service goes, or would go."""
        if request.plan_only:
            plan = await self._loop.read(lambda state, at: planned(state, request.site, at))
            return wire.DrainResponse(plan=to_message(plan))
        done = await self._loop.ask(DrainSite(0, request.site, request.because, request.idempotency_key))
        return wire.DrainResponse(moved=_moved(done), plan=to_message(done.plan) if done.plan else None)

    async def ProposePlan(self, request: Any, context: Any) -> Any:
        """What could stand better, or where these would best stand together. Nothing is recorded."""
        wish = Wish(
            goals=tuple(dict.fromkeys(_goal(number) for number in request.goals)) or FLEET_GOALS,
            horizon_hours=request.horizon_hours or HORIZON_HOURS,
            most_moves=request.most_moves or MOST_MOVES,
            together=tuple(from_message(Workload, message) for message in request.together),
        )
        done = await self._planner.propose(wish)
        return wire.ProposePlanResponse(plan=to_message(done.plan), copied_us=done.copied_us, taken_ms=done.taken_ms)

    async def AdoptPlan(self, request: Any, context: Any) -> Any:
        """Move by move, if its parent still holds."""
        if not request.HasField("plan"):
            raise Refused("is missing", field="plan", wanted="a plan, as it was proposed")
        plan = from_message(Plan, request.plan)
        moved: list[Any] = []
        for first in range(0, max(len(plan.moves), 1), TURN):
            key = request.idempotency_key if first == 0 else ""
            moved += _moved(await self._loop.ask(AdoptPlan(0, plan, key, first)))
        offset = await self._loop.read(lambda state, at: state.offset)
        return wire.AdoptPlanResponse(offset=offset, moved=moved)

    async def ListTeams(self, request: Any, context: Any) -> Any:
        """What each holds, borrows, lends and spends."""
        views = await self._loop.read(teams)
        return wire.ListTeamsResponse(teams=[to_message(view) for view in views])

    async def ListPolicies(self, request: Any, context: Any) -> Any:
        """Every policy version in force."""

        def ask(state: State, at: int) -> list[Policy]:
            return list(state.policies.values())

        return wire.ListPoliciesResponse(policies=[to_message(policy) for policy in await self._loop.read(ask)])

    async def ListPriceBooks(self, request: Any, context: Any) -> Any:
        """Those that hold or will hold, and how long a model was measured to take."""

        def ask(state: State, at: int) -> tuple[list[PriceBook], int, dict[str, int]]:
            books = [book for versions in state.books.values() for book in versions]
            try:
                model = resolve(state, request.model_uri) if request.model_uri else None
            except Refused:
                model = None
            measured = state.service_times.get(model.artifact.digest, {}) if model else {}
            return books, at, {device: time.p99_us for device, time in measured.items()}

        books, at, times = await self._loop.read(ask)
        return wire.ListPriceBooksResponse(
            price_books=[to_message(book) for book in books], at=at, service_times_us=times
        )

    async def ReportRoundTrips(self, request: Any, context: Any) -> Any:
        """What a client measured, with what others say of the same links."""
        if not 0 < len(request.source) <= KEY_CHARACTERS or len(request.links) > MOST_LINKS:
            wanted = f"a source of 1 to {KEY_CHARACTERS} characters, at most {MOST_LINKS} links"
            raise Refused("cannot be taken", field="source", found=request.source[:KEY_CHARACTERS], wanted=wanted)
        links = [from_message(Probed, message) for message in request.links]
        known: list[Probed] = await self._loop.read(
            lambda state, at: [link for link in links if link.sketch.samples and expected(state, link)]
        )
        told = self._round_trips.together(f"client {request.source}", known, int(self._clock.elapsed() * 1_000))
        if told:
            await self._loop.ask(RecordLinks(0, told))
        return wire.ReportRoundTripsResponse(accepted=len(told))


def _goal(number: int) -> Goal:
    for goal in FLEET_GOALS:
        if plan_pb2.Goal.Value(f"GOAL_{goal.name}") == number:
            return goal
    raise Refused("is no goal", field="goals", found=number, wanted=", ".join(FLEET_GOALS))


def _moved(done: Moves) -> list[Any]:
    return [wire.Moved(workload_id=m.workload_id, name=m.name, sites=m.sites) for m in done.moves]


def _declaration(message: Any, index: int) -> Declaration:
    kind = message.WhichOneof("kind")
    if kind is None:
        raise Refused("says nothing", field=f"declarations[{index}]", wanted=f"one of {', '.join(_NOUNS)}")
    try:
        return from_message(_NOUNS[kind], getattr(message, kind))
    except Refused as error:
        error.field = f"declarations[{index}].{kind}.{error.field}"
        raise
