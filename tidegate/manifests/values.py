"""The scalars that manifests are made of, each with its parser, its form and its JSON Schema."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from tidegate.manifests import quantities as q
from tidegate.manifests.shapes import Schema, Value
from tidegate.model import mig
from tidegate.model.jurisdiction import COUNTRIES, GROUPS, is_known, is_region, nearest

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCALARS = ("text", "number", "boolean")
PLACES = (*sorted(GROUPS), *sorted(COUNTRIES))


def text(wanted: str = "text", pattern: str = "", longest: int = 1024) -> Value:
    """Text that is not empty; `pattern` must match the whole of it."""

    def parse(written: str) -> str:
        if not written.strip() or len(written) > longest or (pattern and re.fullmatch(pattern, written) is None):
            raise ValueError
        return written

    described: Schema = {"type": "string", "minLength": 1, "maxLength": longest}
    return Value(parse, wanted, described | ({"pattern": f"^(?:{pattern})$"} if pattern else {}))


def place(wanted: str, pattern: str, known: Callable[[str], bool], near: Iterable[str] = PLACES) -> Value:
    """A jurisdiction that exists; what looks like one is offered instead."""
    near = tuple(near)

    def parse(written: str) -> str:
        if not known(written):
            close = nearest(written, near)
            raise ValueError(f'{wanted} (did you mean "{close}"?)' if close else wanted)
        return written

    return Value(parse, wanted, {"type": "string", "pattern": f"^(?:{pattern})$", "maxLength": 32})


def integer(least: int = 0, most: int = q.LARGEST) -> Value:
    """A whole number within bounds, both included."""
    wanted = f"a whole number from {least}" + (f" to {most:,}" if most < q.LARGEST else "")

    def parse(written: str) -> int:
        if len(written) > q.MAX_DIGITS or re.fullmatch(r"-?[0-9]+", written, re.ASCII) is None:
            raise ValueError
        if not least <= int(written) <= most:
            raise ValueError
        return int(written)

    described = {"type": "integer", "minimum": least, "maximum": most}
    return Value(parse, wanted, described, form=int, sorts=("number",))


def _parse_gpus(written: str) -> int:
    if re.fullmatch(r"0*\.[0-9]+|[0-9]+m|[0-9]+%", written, re.ASCII):
        raise ValueError(f"whole GPUs; for a part of one, give gpuShare: {written}")
    return int(integer(0, 100_000).parse(written))


def _parse_mig(written: str) -> str:
    if written not in mig.NAMES:
        raise ValueError
    return written


def choice(of: type[StrEnum]) -> Value:
    """One value of an enumeration, by its text."""
    values = tuple(one.value for one in of)
    return Value(of, f"one of {', '.join(values)}", {"enum": list(values)}, choices=values)


def constant(value: str) -> Value:
    """The one text that may stand there."""

    def parse(written: str) -> str:
        if written != value:
            raise ValueError
        return written

    return Value(parse, value, {"const": value}, choices=(value,))


def quantity(parse: Callable[[str], int], form: Callable[[int], str], wanted: str, pattern: str) -> Value:
    """A quantity, written as text or as a plain number."""
    described = {"type": ["string", "number"], "pattern": pattern, "minimum": 0}
    return Value(parse, wanted, described, form=form, sorts=("text", "number"))


def milliseconds(*, forever: bool = False) -> Value:
    """A duration kept in whole milliseconds; `forever` is written so and kept as 0."""
    wanted = q.DURATION_WANTED + (", or forever" if forever else "")

    def parse(written: str) -> int:
        if forever and written == "forever":
            return 0
        micros = q.parse_duration(written)
        if micros % 1000 or (forever and not micros):
            raise ValueError(
                f"{wanted} (whole milliseconds, more than 0)" if forever else f"{wanted} (whole milliseconds)"
            )
        return micros // 1000

    def form(value: int) -> str:
        return "forever" if forever and value == 0 else q.format_duration(value * 1000)

    pattern = f"{q.DURATION_PATTERN}|^forever$" if forever else q.DURATION_PATTERN
    return Value(parse, wanted, {"type": "string", "pattern": pattern}, form=form)


def _parse_gpus_milli(written: str) -> int:
    try:
        return q.parse_cpus(written)
    except ValueError:
        raise ValueError(GPUS.wanted) from None


def _parse_boolean(written: str) -> bool:
    return written.lower() == "true"


def _parse_moment(written: str) -> int:
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise ValueError(MOMENT.wanted) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    micros = (moment - EPOCH).days * 86_400_000_000 + (moment - EPOCH).seconds * 1_000_000 + moment.microsecond
    if micros < 0 or micros % 1000:
        raise ValueError(MOMENT.wanted)
    return micros // 1000


def _form_moment(ms: int) -> str:
    whole = datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{ms % 1000:03d}Z" if ms % 1000 else f"{whole}Z"


def _parse_plain(written: str) -> str:
    return written.lower() if written.lower() in ("true", "false") else written


def _form_plain(value: str) -> Any:
    return value == "true" if value in ("true", "false") else value


TEXT = text()
NAME = text(
    "a name: small letters, digits and dashes, 63 at most, not beginning or ending with a dash",
    r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?",
    63,
)
NAME_IN_SITE = text(
    "a site's name, or an offer of it as site/offer",
    r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?(?:/[A-Za-z0-9](?:[-A-Za-z0-9._:]*[A-Za-z0-9])?)?",
    192,
)
WORD = text("a word: letters, digits and . _ - / :", r"[A-Za-z0-9](?:[-A-Za-z0-9._/:]*[A-Za-z0-9])?", 128)
COUNTRY = place("an ISO 3166 country code such as DE", "[A-Z]{2}", COUNTRIES.__contains__, COUNTRIES)
REGION = place("an ISO 3166-2 code such as US-CA", "[A-Z]{2}-[A-Z0-9]{1,3}", is_region, ())
JURISDICTION = place(
    "a country code such as DE, a region such as US-CA, or a group such as EEA", "[A-Z]{2,3}(?:-[A-Z0-9]+)?", is_known
)
DIGEST = text("a SHA-256 in 64 hex digits", "[0-9a-f]{64}", 64)
MODEL_URI = text(
    "models:/NAME@latest, models:/NAME/VERSION or sha256:HEX",
    r"models:/[A-Za-z0-9._-]+(?:@[A-Za-z0-9._-]+|/[1-9][0-9]{0,8})|sha256:[0-9a-f]{64}",
    256,
)
BOOLEAN = Value(_parse_boolean, "true or false", {"type": "boolean"}, form=bool, sorts=("boolean",))
PLAIN = Value(
    _parse_plain, "text, a number, true or false", {"type": ["string", "number", "boolean"]}, _form_plain, _SCALARS
)
"""Any scalar, kept as text: a policy's values are read by the type of the attribute they are compared with."""
ENVIRONMENT = Value(str, "text, a number, true or false", {"type": ["string", "number", "boolean"]}, sorts=_SCALARS)
BYTES = quantity(q.parse_bytes, q.format_bytes, q.BYTES_WANTED, q.BYTES_PATTERN)
CPUS = quantity(q.parse_cpus, q.format_cpus, q.CPU_WANTED, q.CPU_PATTERN)
WHOLE_GPUS = Value(
    _parse_gpus,
    "a whole number from 0 to 100,000",
    {"type": ["integer", "string"], "minimum": 0, "maximum": 100_000, "pattern": "^[0-9]+$"},
    form=int,
    sorts=("number", "text"),
)
GPU_SHARE = quantity(q.parse_gpu_share, q.format_gpu_share, q.GPU_SHARE_WANTED, q.GPU_SHARE_PATTERN)
MIG_PROFILE = Value(_parse_mig, "a MIG profile such as 1g.10gb", {"enum": list(mig.NAMES)}, choices=mig.NAMES)
GPUS = quantity(_parse_gpus_milli, q.format_cpus, "GPUs such as 4, 0.5 or 500m", q.CPU_PATTERN)
MONEY = quantity(q.parse_money, q.format_money, q.MONEY_WANTED, q.MONEY_PATTERN)
SHARE = quantity(q.parse_share, q.format_share, q.SHARE_WANTED, q.SHARE_PATTERN)
PERCENT = quantity(q.parse_share, q.format_percent, q.SHARE_WANTED, q.SHARE_PATTERN)
TIMES = quantity(q.parse_times, q.format_times, q.TIMES_WANTED, q.TIMES_PATTERN)
OFTEN = quantity(q.parse_often, q.format_share, q.OFTEN_WANTED, q.TIMES_PATTERN)
LIFETIME = Value(
    q.parse_lifetime, q.LIFETIME_WANTED, {"type": "string", "pattern": q.LIFETIME_PATTERN}, q.format_lifetime
)
MICROSECONDS = Value(
    q.parse_duration, q.DURATION_WANTED, {"type": "string", "pattern": q.DURATION_PATTERN}, q.format_duration
)
MOMENT = Value(
    _parse_moment, "a date or moment such as 2025-03-02 or 2025-03-02T08:00:00Z", {"type": "string"}, _form_moment
)
