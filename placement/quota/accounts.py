"""Accounts: what a team has spent in a calendar month (UTC), what it will have spent at its end, as whole micros.

An account is a fold: every placement opens a charge at its price per hour, every end closes it. Between two events a
charge runs on by itself, so what is owed is a function of the account and a moment. Kept inside is micros an hour times
milliseconds, which is whole; it is divided once, when it is read, and rounded up.

What is committed is what open charges will add until the month ends, or until the latest moment at which the work ends
where it declared one (a job's timeout counted from when it was placed).

Limits: the newest 13 months.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

HOUR_MS = 3_600_000
MONTHS_KEPT = 13

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Charge:
    """What one workload costs while it holds room."""

    micros_per_hour: int
    since: int
    until: int = 0
    """When it ends at the latest; 0 where nothing says so."""


@dataclass(frozen=True, slots=True)
class Account:
    """One team's own, without the teams below it."""

    charges: dict[str, Charge] = field(default_factory=dict)
    """By workload."""
    owed: dict[str, int] = field(default_factory=dict)
    """By month, of closed charges: micros an hour times milliseconds."""


def opened(account: Account, workload_id: str, charge: Charge) -> Account:
    """With a charge running; one that ran already is closed first."""
    before = closed(account, workload_id, charge.since)
    return replace(before, charges={**before.charges, workload_id: charge})


def closed(account: Account, workload_id: str, at: int) -> Account:
    """With the charge ended, and owed."""
    return all_closed(account, (workload_id,), at)


def all_closed(account: Account, workload_ids: Iterable[str], at: int) -> Account:
    """With several ended at one moment."""
    ended = {one: charge for one in workload_ids if (charge := account.charges.get(one))}
    if not ended:
        return account
    owed = dict(account.owed)
    for charge in ended.values():
        for month, ms in _months(charge.since, at):
            owed[month] = owed.get(month, 0) + charge.micros_per_hour * ms
    charges = {name: one for name, one in account.charges.items() if name not in ended}
    newest = sorted(owed)[-MONTHS_KEPT:]
    return Account(charges, {month: owed[month] for month in newest})


def spent(accounts: Iterable[Account], month: str, now: int) -> int:
    """Micros owed for a month at a moment, over accounts."""
    whole = 0
    for account in accounts:
        whole += account.owed.get(month, 0)
        for charge in account.charges.values():
            whole += sum(charge.micros_per_hour * ms for name, ms in _months(charge.since, now) if name == month)
    return up(whole)


def committed(accounts: Iterable[Account], now: int) -> int:
    """Micros that what runs now adds to this month from now on."""
    end = month_end(now)
    whole = 0
    for account in accounts:
        for charge in account.charges.values():
            until = min(charge.until, end) if charge.until else end
            whole += charge.micros_per_hour * max(until - max(now, charge.since), 0)
    return up(whole)


@dataclass(frozen=True, slots=True)
class Line:
    """What an account owes and is committed to, as straight lines over the moments at which nothing begins or ends.

    Micros an hour times milliseconds. So a thousand running charges are gone through once, and not at every decision.
    """

    account: Account
    since: int
    """The first moment of which it holds."""
    until: int
    """The first moment of which it does not."""
    spent: tuple[int, int]
    """At moment 0, and for each millisecond from then on."""
    committed: tuple[int, int]

    @classmethod
    def of(cls, account: Account, now: int) -> "Line":
        """The lines around a moment."""
        end, month = month_end(now), month_of(now)
        begin = month_begin(now)
        since, until = begin, end
        whole, rate, left, less = account.owed.get(month, 0), 0, 0, 0
        for charge in account.charges.values():
            if charge.since > now:
                until = min(until, charge.since)
            else:
                since = max(since, charge.since)
                whole -= charge.micros_per_hour * max(charge.since, begin)
                rate += charge.micros_per_hour
            stop = min(charge.until, end) if charge.until else end
            if stop <= now:
                since = max(since, stop)
                continue
            until = min(until, stop)
            if charge.since > now:
                left += charge.micros_per_hour * max(stop - charge.since, 0)
            else:
                left += charge.micros_per_hour * stop
                less += charge.micros_per_hour
        return cls(account, since, until, (whole, rate), (left, -less))

    def holds(self, account: Account, now: int) -> bool:
        """Whether it is the account's, at a moment."""
        return self.account is account and self.since <= now < self.until


def owed(lines: Iterable[Line], now: int) -> int:
    """`spent` and `committed` of a month, together, over accounts."""
    spent_whole = left = 0
    for line in lines:
        spent_whole += line.spent[0] + line.spent[1] * now
        left += line.committed[0] + line.committed[1] * now
    return up(spent_whole) + up(left)


def gone(lines: Iterable[Line], now: int) -> int:
    """`spent` of a month alone, over accounts."""
    return up(sum(line.spent[0] + line.spent[1] * now for line in lines))


def rate(accounts: Iterable[Account]) -> int:
    """Micros an hour now."""
    return sum(charge.micros_per_hour for account in accounts for charge in account.charges.values())


def month_of(at: int) -> str:
    """The calendar month of a moment, `2026-11`."""
    return f"{_moment(at):%Y-%m}"


def month_end(at: int) -> int:
    """The first moment of the next month, ms since the epoch."""
    moment = _moment(at)
    following = datetime(moment.year + moment.month // 12, moment.month % 12 + 1, 1, tzinfo=UTC)
    return (following - _EPOCH) // timedelta(milliseconds=1)


def month_begin(at: int) -> int:
    """The first moment of the month, ms since the epoch."""
    moment = _moment(at)
    return (datetime(moment.year, moment.month, 1, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)


def up(micros_hours_ms: int) -> int:
    """Micros, rounded up."""
    return -(-micros_hours_ms // HOUR_MS)


def _months(since: int, until: int) -> Iterable[tuple[str, int]]:
    """The months that a time touches, with how many milliseconds of each."""
    while since < until:
        end = min(month_end(since), until)
        yield month_of(since), end - since
        since = end


def _moment(at: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=at)
