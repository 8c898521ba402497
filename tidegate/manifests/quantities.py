"""Quantities as people write them, to whole numbers and back, exactly.

| what | written | whole number of |
|---|---|---|
| bytes | `24Gi`, `1.5k`, `4096` (k M G T P E by 1000; Ki Mi Gi Ti Pi Ei by 1024) | bytes |
| cpu | `500m`, `2`, `0.5` | thousandths of a core |
| duration | `250us`, `50ms`, `1.5h`, `72h`, `30d` | microseconds |
| money | `$1.20`, `1.20` | micros, millionths of a US dollar |
| share | `5%`, `0.05` | millionths |
| gpu share | `500m`, `0.5`, `50%` | thousandths of one GPU |
| times | `1.3`, `0.002` | thousandths, or millionths |
| lifetime | `5y`, `43800h` (a year is 8,760 hours) | hours |

Arithmetic is on whole numbers, never on floats: a figure that does not come out whole in its unit (`0.5` bytes,
`0.0001` cores) is refused, not rounded. Nothing is negative, and nothing exceeds 2**63 - 1, the widest number on the
wire. A parser takes text and raises ValueError with what would be right; a formatter writes the shortest form that its
parser reads back to the same number.
"""

import re
from collections.abc import Mapping
from decimal import Decimal

LARGEST = 2**63 - 1
MAX_DIGITS = 40
"""Characters of a figure, so that no text however long is turned into a number."""

BYTES_WANTED = "bytes such as 24Gi, 512Mi or 1000"
CPU_WANTED = "CPUs such as 500m, 2 or 0.5"
DURATION_WANTED = "a duration such as 50ms, 30s or 72h"
MONEY_WANTED = "US dollars such as $1.20"
TIMES_WANTED = "a number such as 1.3"
OFTEN_WANTED = "how often, such as 0.002"
LIFETIME_WANTED = "years or hours such as 5y or 43800h"
SHARE_WANTED = "a share from 0 to 1 such as 0.05, or 5%"
GPU_SHARE_WANTED = "a share of one GPU, below 1, such as 500m, 0.5 or 50%"

FIGURE = r"[0-9]+(?:\.[0-9]+)?"
BYTES_PATTERN = rf"^{FIGURE}(?:[kMGTPE]|[KMGTPE]i)?$"
CPU_PATTERN = rf"^{FIGURE}m?$"
DURATION_PATTERN = rf"^{FIGURE}(?:us|ms|s|m|h|d)$"
MONEY_PATTERN = rf"^\$?{FIGURE}$"
TIMES_PATTERN = rf"^{FIGURE}$"
LIFETIME_PATTERN = rf"^{FIGURE}(?:y|h)$"
SHARE_PATTERN = rf"^{FIGURE}%?$"
GPU_SHARE_PATTERN = rf"^{FIGURE}[m%]?$"

_BINARY = {f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", start=1)}
_DECIMAL = {letter: 1000**power for power, letter in enumerate("kMGTPE", start=1)}
_BYTES = {"": 1, **_DECIMAL, **_BINARY}
_CPU = {"": 1000, "m": 1}
_MICROSECONDS = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
}
_HOURS = {"h": 1, "y": 8_760}
_FIGURE_AND_UNIT = re.compile(r"([0-9]+)(?:\.([0-9]+))?([a-zA-Z%]*)", re.ASCII)


def parse_bytes(text: str) -> int:
    """Bytes. Raises ValueError."""
    return _parse(text, _BYTES, BYTES_WANTED)


def format_bytes(count: int) -> str:
    """`24Gi`, or decimal units, or plain bytes: the shortest that is exact, binary first."""
    return _largest_unit(count, {"": 1, **_BINARY}, "", _DECIMAL)


def parse_cpus(text: str) -> int:
    """Thousandths of a core. Raises ValueError."""
    return _parse(text, _CPU, CPU_WANTED)


def format_cpus(milli: int) -> str:
    """`2` or `500m`."""
    return f"{milli}m" if milli % 1000 else str(milli // 1000)


def parse_duration(text: str) -> int:
    """Microseconds. The unit is never guessed: a bare `50` is refused. Raises ValueError."""
    return _parse(text, _MICROSECONDS, DURATION_WANTED)


def format_duration(microseconds: int) -> str:
    """In the largest unit that is exact: `50ms`, `72h`."""
    if microseconds and microseconds % _MICROSECONDS["d"] == 0 and microseconds < 7 * _MICROSECONDS["d"]:
        return f"{microseconds // _MICROSECONDS['h']}h"  # people say 72h, and 30d
    return _largest_unit(microseconds, _MICROSECONDS, "s", {})


def parse_money(text: str) -> int:
    """Micros. Raises ValueError."""
    return _parse(text.removeprefix("$"), {"": 1_000_000}, MONEY_WANTED)


def format_money(micros: int) -> str:
    """`$1.20`: cents always, more places where the amount has them."""
    dollars, rest = divmod(micros, 1_000_000)
    places = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"${dollars}.{places}"


def parse_share(text: str) -> int:
    """Millionths of the whole, from 0 to 1,000,000. Raises ValueError."""
    ppm = _parse(text, {"": 1_000_000, "%": 10_000}, SHARE_WANTED)
    if ppm > 1_000_000:
        raise ValueError(SHARE_WANTED)
    return ppm


def parse_gpu_share(text: str) -> int:
    """Thousandths of one GPU, from 1 to 999. Raises ValueError."""
    milli = _parse(text, {"": 1000, "m": 1, "%": 10}, GPU_SHARE_WANTED)
    if not 1 <= milli <= 999:
        raise ValueError(f"{GPU_SHARE_WANTED}; for whole GPUs give gpus")
    return milli


def format_gpu_share(milli: int) -> str:
    """`500m`."""
    return f"{milli}m"


def format_share(ppm: int) -> str:
    """As a decimal: `0.05`."""
    return _plain(Decimal(ppm).scaleb(-6))


def format_percent(ppm: int) -> str:
    """As a percentage: `5%`."""
    return f"{_plain(Decimal(ppm).scaleb(-4))}%"


def parse_times(text: str) -> int:
    """Thousandths. Raises ValueError."""
    return _parse(text, {"": 1_000}, TIMES_WANTED)


def format_times(milli: int) -> str:
    """As a decimal: `1.3`."""
    return _plain(Decimal(milli).scaleb(-3))


def parse_often(text: str) -> int:
    """Millionths, of what may be more than one. Raises ValueError."""
    return _parse(text, {"": 1_000_000}, OFTEN_WANTED)


def parse_lifetime(text: str) -> int:
    """Hours. Raises ValueError."""
    return _parse(text, _HOURS, LIFETIME_WANTED)


def format_lifetime(hours: int) -> str:
    """`5y` where it is whole years, else `43801h`."""
    return f"{hours}h" if hours % _HOURS["y"] or not hours else f"{hours // _HOURS['y']}y"


def _parse(text: str, units: Mapping[str, int], wanted: str) -> int:
    match = _FIGURE_AND_UNIT.fullmatch(text) if len(text) <= MAX_DIGITS else None
    if match is None or match[3] not in units:
        raise ValueError(wanted)
    fraction = match[2] or ""
    scale: int = 10 ** len(fraction)
    count, rest = divmod(int(match[1] + fraction) * units[match[3]], scale)
    if rest or count > LARGEST:
        raise ValueError(wanted)
    return count


def _largest_unit(count: int, units: Mapping[str, int], zero: str, more: Mapping[str, int]) -> str:
    """`count` in the unit that leaves the fewest digits; ties go to `units` before `more`."""
    if count == 0:
        return f"0{zero}"
    exact = [(count // size, name) for name, size in (*units.items(), *more.items()) if count % size == 0]
    figure, name = min(exact, key=lambda one: len(str(one[0])) + len(one[1]))
    return f"{figure}{name}"


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
