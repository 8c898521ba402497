"""Making a case that fails smaller: leave things out, one after the other, as long as it still fails.

Left out are sites, offers, holdings, links, measured times, policies, rules, conditions, books, entries of books, teams
and what is asked beside the demand itself; a field is put back to what it is when nobody says anything. What is left is
close to the least that shows the disagreement. It fails in whatever way: a smaller failure of another kind is as good.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

from tests.placement.oracle.compare import compare
from tests.placement.oracle.question import Case, Question
from tidegate.model.policy import Policy, Rule
from tidegate.model.site import Site
from tidegate.model.workload import Data, Prefer, Workload

MOST_TRIED = 4_000
PLAIN_WORK = {"latency": None, "prefer": Prefer(), "max_cost_micros_per_hour": 0, "labels": {}, "carries": ()}
PLAIN_DATA = Data(classes=("public",), subjects=("CH",))


def smaller(case: Case, fails: Callable[[Case], bool] | None = None) -> Case:
    """A case that still fails, from which nothing more can be left out; after `MOST_TRIED` tries, what there is."""
    fails = fails or _fails
    tried, going = 0, True
    while going and tried < MOST_TRIED:
        going = False
        for question in _less(case.question):
            tried += 1
            if tried > MOST_TRIED:
                break
            if question != case.question and fails(replace(case, question=question)):
                case, going = replace(case, question=question), True
                break
    return case


def _fails(case: Case) -> bool:
    try:
        return bool(compare(case).wrong)
    except Exception:  # noqa: BLE001 - a smaller question may be one that nobody could ask
        return False


def _less(q: Question) -> Iterator[Question]:
    """Questions with one thing less, the largest things first."""
    for name in q.sites:
        kept = {other: facts for other, facts in q.sites.items() if other != name}
        yield replace(q, sites=kept, links={key: v for key, v in q.links.items() if key[1] != name})
    for field in ("policies", "holdings", "books", "teams"):
        yield from (replace(q, **{field: less}) for less in _each_less(getattr(q, field)))
    for field in ("links", "service_times", "accounts", "ran"):
        value = getattr(q, field)
        yield from (replace(q, **{field: {k: v for k, v in value.items() if k != key}}) for key in value)
    if q.aside:
        yield replace(q, aside=frozenset())
    if q.exclude:
        yield replace(q, exclude=frozenset())
    yield from (replace(q, policies=less) for less in _within(q.policies, _less_policy))
    for name, facts in q.sites.items():
        yield from (
            replace(q, sites={**q.sites, name: replace(facts, site=site, observed=())})
            for site in (facts.site, *_less_site(facts.site))
        )
    yield from (replace(q, books=less) for less in _within(q.books, lambda book: _lists_less(book)))
    yield from (replace(q, holdings=less) for less in _within(q.holdings, lambda one: _lists_less(one)))
    yield from (replace(q, work=work) for work in _less_work(q.work))


def _each_less(of: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    yield from (of[:index] + of[index + 1 :] for index in range(len(of)))


def _within(of: tuple[Any, ...], less: Callable[[Any], Iterator[Any]]) -> Iterator[tuple[Any, ...]]:
    for index, one in enumerate(of):
        yield from ((*of[:index], other, *of[index + 1 :]) for other in less(one))


def _lists_less(noun: Any) -> Iterator[Any]:
    """A noun with one entry less in one of its lists."""
    for field in fields(noun):
        value = getattr(noun, field.name)
        if isinstance(value, tuple):
            yield from (replace(noun, **{field.name: less}) for less in _each_less(value))


def _less_policy(policy: Policy) -> Iterator[Policy]:
    yield from (replace(policy, rules=less) for less in _each_less(policy.rules))
    yield from (replace(policy, rules=less) for less in _within(policy.rules, _less_rule))


def _less_rule(rule: Rule) -> Iterator[Rule]:
    yield from (one for one in _lists_less(rule) if one.require or one.require_any)


def _less_site(site: Site) -> Iterator[Site]:
    yield from _lists_less(site)
    plain = {"operator_jurisdiction": "", "region": "", "location": "", "uplink_bytes_per_day": 0, "labels": {}}
    yield from (replace(site, **{name: value}) for name, value in plain.items() if getattr(site, name) != value)
    for offers in _within(site.offers, lambda one: _lists_less(one)):
        yield replace(site, offers=offers)
    for offers in _within(site.offers, lambda one: iter((replace(one, count=one.count - 1),) if one.count else ())):
        yield replace(site, offers=offers)


def _less_work(work: Workload) -> Iterator[Workload]:
    yield from (replace(work, **{name: value}) for name, value in PLAIN_WORK.items() if getattr(work, name) != value)
    for field in fields(Data):
        plain = getattr(PLAIN_DATA, field.name)
        if getattr(work.data, field.name) != plain:
            yield replace(work, data=replace(work.data, **{field.name: plain}))


def shown(case: Case) -> Iterator[str]:
    """The question, a line for each thing in it."""
    q = case.question
    yield f"work      {q.work}"
    yield from (f"site      {facts}" for facts in q.sites.values())
    for field in ("policies", "holdings", "books", "teams"):
        yield from (f"{field:9} {one}" for one in getattr(q, field))
    for field in ("links", "service_times", "accounts", "ran"):
        yield from (f"{field:9} {key}: {value}" for key, value in getattr(q, field).items())
    if q.exclude:
        yield f"left out  {sorted(q.exclude)}"
