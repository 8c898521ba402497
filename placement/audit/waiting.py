"""The auditor on waiting: of what kind each rule's "no" is, and where no waiting helps.

What is said of teams may pass, but not everywhere: at a place where a quota would refuse the work if nobody held
anything, or where neither the rest of this month, with all that runs ended, nor the whole of the next could pay its
price, it never does. Where that leaves too few of the places that nothing lasting refuses, one bound after the other,
the rule is of a kind that lasts.
"""

from placement.audit.places import FREE, QUOTAS, SHAPE, Judge
from placement.audit.sets import Places
from tidegate.model.decision import Decision, Kind, RuleColumn

KINDS = {
    **dict.fromkeys(("available", "engine", "latency", "volume"), Kind.REACH),
    **dict.fromkeys((*SHAPE, "spread"), Kind.SHAPE),
    **dict.fromkeys(FREE, Kind.CAPACITY),
    "max-cost": Kind.PRICE,
}
"""Of the rules that are neither law nor of teams."""
LASTING = {"team-limit": Kind.SHAPE, "team-quota": Kind.SHAPE, "team-budget": Kind.PRICE}
"""The kinds of those of teams, where they leave too little hope, in the order in which they are asked."""


def findings(decision: Decision, judge: Judge, refused: dict[str, Places]) -> list[str]:
    """What is wrong with the kinds of the columns, and with where they may pass."""
    of_teams = _of_teams(judge, refused)
    found: list[str] = []
    for column in decision.columns:
        kind, never = of_teams.get(column.rule, (KINDS.get(column.rule, Kind.LAW), 0))
        if column.kind is not kind:
            found.append(f"{column.rule}: of kind {kind}, said {column.kind}")
        if _never(column, judge) != never:
            found.append(f"{column.rule}: not where it never passes")
    return found


def _never(column: RuleColumn, judge: Judge) -> Places:
    """Where a column says that it never passes; whatever is no such word, -1."""
    if not column.may_pass:
        return 0
    good = len(column.may_pass) == -(-len(judge.ground.sites) // 8)
    return judge.everywhere & ~int.from_bytes(column.may_pass, "little") if good else -1


def _of_teams(judge: Judge, refused: dict[str, Places]) -> dict[str, tuple[Kind, Places]]:
    """By rule, its kind and, of a kind that may pass, where it never does."""
    open_to = judge.allowed(refused, QUOTAS | FREE)
    copies = judge.workload.copies if judge.by_site else 1
    found: dict[str, tuple[Kind, Places]] = {}
    for rule, lasting in LASTING.items():
        found[rule] = Kind.QUOTA, 0
        if not refused[rule]:
            continue
        never, standing = _hopeless(rule, judge, refused[rule])
        left = open_to & ~never
        hoped = left if open_to else standing & ~never
        found[rule] = (Kind.QUOTA, never) if hoped.bit_count() >= copies else (lasting, 0)
        open_to = left
    return found


def _hopeless(rule: str, judge: Judge, refused: Places) -> tuple[Places, Places]:
    """Of the places that a rule refuses, those where no waiting helps; and all places of which it can speak."""
    if rule != "team-budget":
        facts = judge.ground.sites.values()
        never = [rule in judge.teams.hopeless(judge.ground.place(one.site.name).models) for one in facts]
        return _places(never) & refused, judge.everywhere
    priced, never = [], []
    for one in judge.ground.sites.values():
        price = judge.price(one.site, judge.found(one, one.site, judge.soon(one), usable=True))
        priced.append(price is not None)
        never.append(price is not None and not judge.teams.could_pay(price[0]))
    return _places(never) & refused, _places(priced)


def _places(truths: list[bool]) -> Places:
    return sum(1 << row for row, true in enumerate(truths) if true)
