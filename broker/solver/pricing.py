"""The question for bid prices and its answer, as frames; see `bid_prices` for the programme.

    question  frame: JSON `{"mix": {class: count}, "units": {shape: count}}`, names as in `broker.core.demanded`
    answer    frame: JSON `{class: millionths of a GPU}`

Limits: the `MOST_CLASSES` most frequent classes are priced, over 60 shapes and 99 sizes of share in 2 s (twice as many
took 18 s); whoever reads the answer knows what others are worth.
"""

import json
from typing import Any

from broker.core.demanded import asked_as, name_of, shaped_as
from broker.workers.frames import LENGTH, joined, parts_of
from placement.pool.nouns import mix_of
from tidegate.model.errors import Unavailable

MOST_CLASSES = 128


def question(mix: dict[str, int], units: dict[str, int]) -> bytes:
    """What the worker is asked."""
    return joined([json.dumps({"mix": mix, "units": units}).encode()])


def is_question(data: bytes) -> bool:
    """Whether a request is such a question: the one with a single frame."""
    return len(data) >= LENGTH.size and LENGTH.unpack_from(data)[0] == len(data) - LENGTH.size


def priced(data: bytes) -> bytes:
    """The answer to a question. In the worker alone: it is there that the solver is loaded."""
    from broker.solver.bid_prices import bid_prices

    asked = json.loads(parts_of(data)[0])
    mix = mix_of({asked_as(name): count for name, count in asked["mix"].items()})
    fleet = {shaped_as(name): count for name, count in asked["units"].items()}
    worths = bid_prices(mix[:MOST_CLASSES], fleet).worths
    return joined([json.dumps({name_of(ask): worth for ask, worth in worths.items()}).encode()])


def worths_in(data: bytes) -> dict[str, int]:
    """What `priced` answered. Unavailable where it is no such answer."""
    parts = parts_of(data)
    try:
        worths: Any = json.loads(parts[0]) if len(parts) == 1 else None
    except ValueError:
        worths = None
    if not isinstance(worths, dict) or not all(type(worth) is int for worth in worths.values()):
        raise Unavailable("the solver's answer is no prices", field="frames", found=len(parts))
    return worths
