"""What would satisfy the law, at the site and where the work's products come home."""

from dataclasses import replace

from placement.audit.auditor import audit
from placement.fleet.fleet import Fleet
from tests.placement.places import GIB, HALL, LAW, decided, fleet, service
from tidegate.model.decision import Outcome
from tidegate.model.policy import Expression, Operator, Policy, Rule
from tidegate.model.quantity import Resources
from tidegate.model.site import Engine, Offer, Site

NODE = Offer("node", Resources(0, 0, 8_000, 16 * GIB))


def place(name: str, **changes: object) -> Site:
    return replace(replace(HALL, name=name, engines=tuple(Engine), offers=(NODE,)), **changes)  # type: ignore[arg-type]


def agreed(*names: str, operator: Operator = Operator.CONTAINS_ANY) -> Expression:
    return Expression("site.agreements", operator, names)


def told(places: Fleet, *rules: Rule) -> dict[str, list[str]]:
    """By site, what the proposals change, in the order of the fields."""
    law, work = replace(LAW, policies=(Policy("p", 1, rules=rules),)), service()
    decision = decided(work, places, law)
    assert decision.outcome is Outcome.REFUSED
    assert audit(work, decision, places, law) == ()
    return {one.site: sorted(f"{c.field} {c.before} -> {c.after}" for c in one.changes) for one in decision.relaxations}


SIGNED = Rule("signed", require=(agreed("baa", "scc"),))


def test_what_is_agreed_upon_for_the_home_lets_the_products_come_home() -> None:
    """Law at home made every site hopeless, so that nothing was proposed anywhere."""
    places = fleet(place("hall", agreements=("baa",)), place("store", home=True, engines=()))
    assert told(places, SIGNED) == {"hall": ["home.store.agreements  -> baa"]}


def test_a_home_that_is_the_site_itself_is_changed_once() -> None:
    assert told(fleet(place("store", home=True)), SIGNED) == {"store": ["site.agreements  -> baa"]}


def test_every_home_has_to_agree() -> None:
    places = fleet(place("hall"), place("s1", home=True, engines=()), place("s2", home=True, engines=()))
    assert told(places, SIGNED) == {
        "hall": ["home.s1.agreements  -> baa", "home.s2.agreements  -> baa", "site.agreements  -> baa"]
    }


def test_deidentified_data_may_come_home() -> None:
    known = Expression("data.deidentified", Operator.IN, ("false",))
    at_store = Expression("site.name", Operator.IN, ("store",))
    home = Rule("home", when=(known, at_store), require=(Expression("site.tier", Operator.IN, ("cloud",)),))
    places = fleet(place("hall"), place("store", home=True, engines=()))
    assert told(places, home) == {"hall": ["data.attestation  -> required", "data.deidentified false -> true"]}


def test_nothing_is_proposed_where_nothing_lets_the_products_come_home() -> None:
    far = Rule("far", when=(Expression("site.name", Operator.IN, ("store",)),), require=(agreed("never"),))
    never = replace(far, require=(Expression("site.jurisdiction", Operator.IN, ("US",)),))
    places = fleet(place("hall"), place("store", home=True, engines=()))
    assert told(places, far) == {"hall": ["home.store.agreements  -> never"]}
    assert told(places, never) == {}


def test_one_agreement_for_two_rules() -> None:
    """The first would have signed one, and the second another that the first accepts as well."""
    both = Rule("both", require=(agreed("scc", operator=Operator.CONTAINS_ALL),))
    assert told(fleet(place("hall")), SIGNED, both) == {"hall": ["site.agreements  -> scc"]}


def test_deidentified_data_and_an_agreement_together() -> None:
    clear = Expression("data.deidentified", Operator.IN, ("true",))
    either = Rule("either", require=(Expression("site.tier", Operator.IN, ("cloud",)),), unless=(clear, agreed("baa")))
    assert told(fleet(place("hall")), either) == {
        "hall": ["data.attestation  -> required", "data.deidentified false -> true", "site.agreements  -> baa"]
    }
