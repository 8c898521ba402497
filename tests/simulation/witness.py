"""What the log says, read by hand: a second fold, which shares no code with the broker's, and what it cannot agree to.

It keeps the few things that most decisions hang on (the law in force, the price books, the teams, who stands where) in
plain dictionaries and asks of each event whether it could follow: were these the policies then, was that the price
book, was the plan made of what still stood, may that workload be displaced, is the team still within its limit. Where
the broker's state is wrong in a way that deciding again repeats, this is what sees it.
"""

from dataclasses import dataclass, field

from tidegate.model import event as happened
from tidegate.model.decision import Outcome
from tidegate.model.event import Recorded
from tidegate.model.money import PriceBook, Team
from tidegate.model.policy import Policy
from tidegate.model.workload import Priority, Workload, WorkloadKind

MOVES_NOTHING = (
    happened.WorkloadSubmitted,
    happened.ModelRegistered,
    happened.AssignmentOutlawed,
    happened.PlanAdopted,
    happened.WorkloadQueued,
    happened.BrokerStarted,
    happened.BidPricesSet,
    happened.KeyAnswered,
)
"""What a plan survives: it places nothing, and changes nothing about where anything could go. Work that goes on is no
change either."""


@dataclass
class Witness:
    """One log's, event by event. `found` is what it does not agree to."""

    policies: dict[str, Policy] = field(default_factory=dict)
    books: dict[tuple[str, int], PriceBook] = field(default_factory=dict)
    teams: dict[str, Team] = field(default_factory=dict)
    work: dict[str, Workload] = field(default_factory=dict)
    placed: dict[str, bool] = field(default_factory=dict)
    """What stands, by id."""
    revisions: dict[str, int] = field(default_factory=dict)
    """What acknowledged submissions stand on, by key."""
    displaced: set[str] = field(default_factory=set)
    moved_at: int = 0
    found: list[str] = field(default_factory=list)

    def hears(self, recorded: Recorded) -> None:
        """One event, in the log's order."""
        event, offset = recorded.event, recorded.offset
        moves = self._moves(event)
        match event:
            case happened.PolicyApplied():
                self.policies[event.policy.name] = event.policy
            case happened.PriceBookApplied():
                self.books[event.book.name, event.book.version] = event.book
            case happened.TeamApplied():
                self.teams[event.team.name] = event.team
            case happened.WorkloadSubmitted():
                self.work[f"w{offset}"] = event.workload
                if self.moved_at > (stands_on := self.revisions.get(event.key, offset)):
                    self.found.append(f"w{offset} stands on {stands_on}, and at {self.moved_at} that had changed")
            case happened.WorkloadDecided():
                self._decided(event, offset)
            case happened.WorkloadDisplaced():
                self._displaced(event, offset)
            case happened.WorkloadQueued():
                self._queued(event, offset)
            case happened.WorkloadCancelled():
                self.placed.pop(event.workload_id, None)
            case happened.WorkloadProgressed():
                if event.status.phase.ended:
                    self.placed.pop(event.status.workload_id, None)
            case happened.PlanAdopted():
                if self.moved_at > event.plan.revision:
                    revision = event.plan.revision
                    self.found.append(f"a plan made at {revision} was adopted at {offset}: {self.moved_at} had changed")
        if moves:
            self.moved_at = offset

    def _moves(self, event: happened.Event) -> bool:
        """Whether it may change where anything could go. What was told to stop gave its room back with that word."""
        if isinstance(event, happened.WorkloadProgressed):
            return event.status.phase.ended and event.status.workload_id in self.placed
        return not isinstance(event, MOVES_NOTHING)

    def _decided(self, event: happened.WorkloadDecided, offset: int) -> None:
        decision, name = event.decision, event.workload_id
        in_force = sorted(policy.ref for policy in self.policies.values())
        if sorted(decision.policies) != in_force:
            self.found.append(f"{name} was decided at {offset} under {decision.policies}, in force were {in_force}")
        if decision.price_book != (book := self._book(decision.decided_at)):
            self.found.append(f"{name} was decided at {offset} by {decision.price_book}, the book was {book}")
        if decision.outcome is Outcome.PLACED:
            self.placed[name] = True
            self._within(self.work[name].team, name, offset)
        else:
            self.placed.pop(name, None)

    def _book(self, at: int) -> str:
        """Everybody's book is of one name here, so that one of its versions counts alone."""
        standing = [book for book in self.books.values() if book.effective_from <= at]
        return max(standing, key=lambda book: book.version).ref if standing else ""

    def _within(self, name: str, decided: str, offset: int) -> None:
        """What is decided stands in the place of the versions before it."""
        team = self.teams.get(name)
        if team is None or team.limit is None or not team.limit.cpus_milli:
            return
        holds = sum(
            self.work[each].demand.resources.cpus_milli * self.work[each].copies
            for each in self.placed
            if self.work[each].team == name and (each == decided or self.work[each].name != self.work[decided].name)
        )
        if holds > team.limit.cpus_milli:
            self.found.append(
                f"team {name} holds {holds} thousandths at {offset}, its limit is {team.limit.cpus_milli}"
            )

    def _displaced(self, event: happened.WorkloadDisplaced, offset: int) -> None:
        work = self.work[event.workload_id]
        service = work.kind is WorkloadKind.INFERENCE_SERVICE
        importance = work.priority or (Priority.PRODUCTION if service else Priority.STANDARD)
        if importance is Priority.PRODUCTION and not work.preemptible:
            self.found.append(f"{event.workload_id} was displaced at {offset}, and need not make room for anybody")
        self.placed.pop(event.workload_id, None)
        self.displaced.add(event.workload_id)

    def _queued(self, event: happened.WorkloadQueued, offset: int) -> None:
        work = self.work[event.workload_id]
        never = work.wait.never if work.wait else work.kind is WorkloadKind.INFERENCE_SERVICE
        if never and event.workload_id not in self.displaced:
            self.found.append(f"{event.workload_id} waits from {offset} on, and would not")
