"""Applying declarations: sites, policies, teams, price books. All of them or none; unchanged ones leave no event.

Everything is checked before the first event, so a mistake in the last document refuses the first as well. A policy or a
price book of a lower or equal version with other content is refused: what decisions cite as `name@version` means one
thing for ever. Several versions of a price book may be declared together, each holding from its own moment on; one that
a higher version in force has superseded is left out without complaint, so that a folder of them can be applied again.

A new law is held against all standing work in the same turn. What it forbids is raised, never silently moved.
"""

from dataclasses import replace

from broker.core.commands import DECLARATIONS, ApplyDeclarations, Declaration
from broker.core.decide.bounds import check_bounds
from broker.core.decide.keys import check_name, check_offers, earlier, reused
from broker.core.decide.placing import Deciding, Watch, outlaws
from broker.core.replies import Application, Declared
from broker.core.state import State
from placement.law.law import check_policy, check_site
from placement.money.books import check_book
from placement.quota.tree import check as check_teams
from placement.rules.law import warnings
from tidegate.model.errors import Conflict, Refused
from tidegate.model.event import (
    AssignmentOutlawed,
    Event,
    KeyAnswered,
    PolicyApplied,
    PriceBookApplied,
    SiteApplied,
    TeamApplied,
)
from tidegate.model.money import PriceBook, Team
from tidegate.model.policy import Policy
from tidegate.model.site import Site

_KINDS: dict[type, str] = {Site: "site", Policy: "policy", Team: "team", PriceBook: "price_book"}


def apply(state: State, command: ApplyDeclarations, watch: Watch) -> Deciding[Application]:
    """Declare, then hold the law against what stands."""
    if len(command.declarations) > DECLARATIONS:
        wanted = f"at most {DECLARATIONS}"
        raise Refused("too many at once", field="declarations", found=len(command.declarations), wanted=wanted)
    names = [f"{_KINDS[type(noun)]}/{noun.name}" for noun in command.declarations]
    if answer := earlier(state, command.key, "apply"):
        before = frozenset(answer.about.split("\n"))
        if not before <= set(names):
            raise reused(command.key, answer)
        return Application(tuple(_declared(noun, "unchanged") for noun in command.declarations), ())
    declared: list[Declared] = []
    events: list[Event] = []
    for index, noun in enumerate(command.declarations):
        field = f"declarations[{index}]"
        check_name(noun.name, f"{field}.name")
        if names.index(names[index]) < index and _ref(noun) in map(_ref, command.declarations[:index]):
            raise Refused("is declared twice", field=field, found=names[index], wanted="one declaration of it")
        if _superseded(state, noun, command.at):
            declared.append(_declared(noun, "superseded"))
            continue
        standing = _standing(state, noun)
        _check(noun, standing, field)
        if standing == noun:
            declared.append(_declared(noun, "unchanged"))
            continue
        declared.append(_declared(noun, "created" if standing is None else "changed"))
        events.append(_event(command, noun))
    _check_teams(state, command)
    yield from events
    if command.key and not events:
        yield KeyAnswered(command.at, "apply", "\n".join(dict.fromkeys(names)), command.key)
    stopped: list[str] = []
    if any(isinstance(event, PolicyApplied | SiteApplied) for event in events):
        for record in tuple(state.workloads.without(state.ended)):
            if record.phase is None or record.phase.ended:
                continue
            for site in record.sites:
                rules = outlaws(state, record, site)
                if set(rules) - set(record.outlawed_by):
                    yield AssignmentOutlawed(command.at, record.id, site, rules)
                    stopped.append(record.id)
    applied = [event.policy for event in events if isinstance(event, PolicyApplied)]
    doubts = tuple(f"policy {policy.name}: {doubt}" for policy in applied for doubt in warnings(policy))
    return Application(tuple(declared), tuple(dict.fromkeys(stopped)), doubts)


def _check_teams(state: State, command: ApplyDeclarations) -> None:
    """Refused, naming the field, where the teams as they would be do not fit together."""
    declared = {noun.name: noun for noun in command.declarations if isinstance(noun, Team)}
    fields = {noun.name: f"declarations[{i}]" for i, noun in enumerate(command.declarations) if isinstance(noun, Team)}
    if declared:
        check_teams({**state.teams, **declared}, fields)


def _standing(state: State, noun: Declaration) -> Declaration | None:
    match noun:
        case Site():
            record = state.sites.get(noun.name)
            return record.site if record else None
        case Policy():
            return state.policies.get(noun.name)
        case Team():
            return state.teams.get(noun.name)
        case PriceBook():
            versions = state.books.get(noun.name, ())
            same = (book for book in versions if book.version == noun.version)
            return next(same, next(reversed(versions), None))


def _superseded(state: State, noun: Declaration, at: int) -> bool:
    """Whether it is a version of a price book that can never hold again."""
    if not isinstance(noun, PriceBook):
        return False
    versions = state.books.get(noun.name, ())
    return any(book.version > noun.version and book.effective_from <= at for book in versions)


def _ref(noun: Declaration) -> tuple[str, str, int]:
    """What may be declared once in a call."""
    return _KINDS[type(noun)], noun.name, noun.version if isinstance(noun, PriceBook) else 0


def _check(noun: Declaration, standing: Declaration | None, field: str) -> None:
    """Refused, naming the field, where it could not be lived with."""
    match noun:
        case Policy():
            check_bounds(noun, field)
            try:
                check_policy(noun)
            except Refused as wrong:
                where = f"policy {noun.name}: {wrong.field}"
                raise Refused(wrong.message, field=where, found=wrong.found, wanted=wrong.wanted) from wrong
            if isinstance(standing, Policy):
                _check_version(noun, standing, field)
        case Site():
            _check_site(noun, field)
        case PriceBook():
            bare = replace(noun, prices=(), egress=(), uplifts=(), availability=(), apis=())
            check_bounds(bare, field)  # its entries have bounds of their own
            try:
                check_book(noun)
            except Refused as wrong:
                where = f"price book {noun.name}: {wrong.field}"
                raise Refused(wrong.message, field=where, found=wrong.found, wanted=wrong.wanted) from wrong
            if isinstance(standing, PriceBook):
                _check_version(noun, standing, field)
        case Team():
            check_bounds(noun, field)


def _check_version(noun: Policy | PriceBook, standing: Policy | PriceBook, field: str) -> None:
    """What a decision cites as `name@version` never changes."""
    if standing != noun and noun.version <= standing.version:
        raise Conflict(
            f"{standing.ref} was declared with other content",
            field=f"{field}.version",
            found=noun.version,
            wanted=f"{standing.version + 1} or later",
        )


def _check_site(site: Site, field: str) -> None:
    for name in ("operator", "jurisdiction"):
        if not getattr(site, name):
            raise Refused("is empty", field=f"{field}.{name}", wanted="who runs the place, and whose law binds it")
    check_site(site, field)
    check_offers(site.offers, f"{field}.offers")
    check_bounds(site, field)


def _event(command: ApplyDeclarations, noun: Declaration) -> Event:
    match noun:
        case Site():
            return SiteApplied(command.at, noun, command.key)
        case Policy():
            return PolicyApplied(command.at, noun, command.key)
        case Team():
            return TeamApplied(command.at, noun, command.key)
        case PriceBook():
            return PriceBookApplied(command.at, noun, command.key)


def _declared(noun: Declaration, outcome: str) -> Declared:
    return Declared(_KINDS[type(noun)], noun.name, outcome)
