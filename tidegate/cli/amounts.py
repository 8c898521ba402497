"""Whole numbers as people read them: bytes, cores, times, money, moments."""

from tidegate.model.decision import Miss, Unit
from tidegate.model.quantity import HOURS_PER_MONTH, MICROS_PER_DOLLAR
from tidegate.model.reading import Reading


def dollars_per_month(micros_per_hour: int, hours_milli: int = 0) -> str:
    """What a price per hour comes to in a month, or in so many thousandths of hours of it where that is said."""
    milli = micros_per_hour * (hours_milli or HOURS_PER_MONTH * 1_000)
    return f"{dollars(round(milli / 1_000))}/month"


def dollars_per_hour(micros_per_hour: int) -> str:
    """A price per hour as it is."""
    return f"{dollars(micros_per_hour)}/hour"


def dollars(micros: int) -> str:
    """An amount: to the cent below $100, in whole dollars above; what is less than a cent shows its first digits."""
    sign, amount = "-" if micros < 0 else "", abs(micros) / MICROS_PER_DOLLAR
    if 0 < amount < 0.01:
        return f"{sign}${amount:.2g}"
    return f"{sign}${amount:,.2f}" if amount < 100 else f"{sign}${amount:,.0f}"


def number(value: int, unit: Unit) -> str:
    """`value` in its unit."""
    if unit is Unit.BYTES:
        return size(value)
    if unit is Unit.BYTES_PER_DAY:
        return f"{size(value)}/day"
    if unit is Unit.GPU_MILLI:
        return f"{value / 1000:g} of a GPU"
    if unit is Unit.CPUS_MILLI:
        return f"{value / 1000:g} CPUs"
    if unit is Unit.MICROSECONDS:
        return f"{value / 1000:g} ms"
    if unit is Unit.MICROS:
        return f"${value / MICROS_PER_DOLLAR:,.2f} this month"
    if unit is Unit.MICROS_PER_HOUR:
        return dollars_per_month(value)
    return str(value)


def size(value: int) -> str:
    """Bytes in the binary unit that suits them."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(value) < 1024 or unit == "TiB":
            return f"{value:g} {unit}" if unit == "B" else f"{value:.4g} {unit}"
        value = value / 1024  # type: ignore[assignment]
    raise AssertionError("unreachable: TiB returns")


SIGNS = {
    "Le": "<=",
    "Lt": "<",
    "Ge": ">=",
    "Gt": ">",
    "In": "in",
    "NotIn": "not in",
    "ContainsAny": "has one of",
    "ContainsAll": "has all of",
    "Exists": "is known",
    "DoesNotExist": "is not known",
}


def wanted(miss: Miss) -> str:
    """What a miss asked for."""
    sign = SIGNS.get(miss.operator, miss.operator)
    if miss.unit is not Unit.WORDS:
        return f"{miss.key} {sign} {number(miss.wanted_number, miss.unit)}".strip()
    values = f"[{', '.join(miss.wanted)}]" if miss.wanted else ""
    return f"{miss.key} {sign} {values}".strip()


def found(miss: Miss) -> str:
    """What a miss found instead; words (`unknown`) stand for a number that is not there."""
    if miss.unit is Unit.WORDS or miss.found:
        return ", ".join(miss.found) or "nothing"
    if miss.unit is Unit.MICROSECONDS:
        return _answer_time(miss)
    return number(miss.found_number, miss.unit)


def _answer_time(miss: Miss) -> str:
    """The percentile as it was estimated, from where, what it counts for, and how much of it is the service's own."""
    likely = miss.likely_number or miss.found_number
    words = f"p99 {number(likely, miss.unit)}" + (f" from {', '.join(miss.wanted)}" if miss.wanted else "")
    notes = []
    if miss.found_number != likely:
        notes.append(f"counted as {number(miss.found_number, miss.unit)}")
    if miss.part_number:
        notes.append(f"{number(miss.part_number, miss.unit)} of it the service")
    return f"{words} ({', '.join(notes)})" if notes else words


def reading(one: Reading, decided_at: int) -> str:
    """From where to where, how long, what that rests on and who measured it."""
    parts = [f"p99 {number(one.us, Unit.MICROSECONDS)} from {one.origin} to {one.site}"]
    if one.service_us:
        told = age(one.service_measured_at, decided_at) or "declared"
        parts.append(f"{number(one.service_us, Unit.MICROSECONDS)} of it the service ({told})")
    if one.trip_measured_at:
        samples = f"{one.trip_samples} sample{'' if one.trip_samples == 1 else 's'}"
        trip = f"the way {age(one.trip_measured_at, decided_at)} by clients and agents there ({samples}"
        likely = f", estimated at {number(one.trip_likely_us, Unit.MICROSECONDS)}"
        parts.append(trip + (likely if one.trip_likely_us != one.trip_us else "") + ")")
    else:
        parts.append("the way declared")
    return ", ".join(parts)


def basis(miss: Miss, decided_at: int) -> str:
    """What a miss's number rests on: how long ago it was measured, on how many samples, or that it was declared."""
    if not miss.measured_at:
        return "declared" if miss.unit is Unit.MICROSECONDS and not miss.found else ""
    samples = f" ({miss.samples} sample{'' if miss.samples == 1 else 's'})" if miss.samples else ""
    return age(miss.measured_at, decided_at) + samples


def age(measured_at: int, decided_at: int) -> str:
    """How old a measurement was when it was used; empty where nothing was measured."""
    if not measured_at:
        return ""
    seconds = max(0, decided_at - measured_at) // 1000
    if seconds < 120:
        return f"measured {seconds} s before"
    return f"measured {seconds // 60} min before" if seconds < 7200 else f"measured {seconds // 3600} h before"
