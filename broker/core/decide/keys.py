"""What a request must keep before anything is decided: bounds of keys, names and offers.

And what a key that was used before means. Whatever the fold could not take in is refused here, from agents as well:
after the first event it would be too late.
"""

from broker.core.commands import KEY_CHARACTERS, NAME_CHARACTERS
from broker.core.records import Answer
from broker.core.state import State
from tidegate.model.errors import Conflict, Refused
from tidegate.model.site import Offer

BECAUSE_CHARACTERS = 4_096
MOST_UNITS = 1_000_000
MOST_OFFERS = 10_000
MOST_GPUS = 1_024
"""In one unit: each is kept as a row of its own while work stands there."""
MOST_INSTANCES = 8
"""MIG instances on one GPU."""
MOST_OF_ANYTHING = 2**50
"""In one unit: a pebibyte, if it is bytes."""


def earlier(state: State, key: str, verb: str) -> Answer | None:
    """What the key was answered before. Refused where it is too long, Conflict where it was for another verb."""
    if len(key) > KEY_CHARACTERS:
        wanted = f"at most {KEY_CHARACTERS} characters"
        raise Refused("the key is too long", field="idempotency_key", found=len(key), wanted=wanted)
    answer = state.answers.get(key) if key else None
    if answer is not None and answer.verb != verb:
        raise reused(key, answer)
    return answer


def reused(key: str, answer: Answer) -> Conflict:
    """The key belongs to another request."""
    return Conflict(
        f"the key was used for another request ({answer.verb}, offset {answer.offset})",
        field="idempotency_key",
        found=key,
        wanted="a new key for a new request",
    )


def check_name(name: str, field: str) -> None:
    """Refused where a name is empty, too long or not printable."""
    if not 0 < len(name) <= NAME_CHARACTERS or not name.isprintable():
        wanted = f"1 to {NAME_CHARACTERS} printable characters"
        raise Refused("is not a name", field=field, found=name[:64], wanted=wanted)


def check_because(because: str) -> None:
    """Refused where a reason is no sentence any more: it stands in the log for good."""
    if len(because) > BECAUSE_CHARACTERS:
        wanted = f"at most {BECAUSE_CHARACTERS} characters"
        raise Refused("is too long", field="because", found=len(because), wanted=wanted)


def check_offers(offers: tuple[Offer, ...], field: str) -> None:
    """Refused where offers share a name or hold numbers that nobody can mean."""
    if len(offers) > MOST_OFFERS:
        raise Refused("too many offers", field=field, found=len(offers), wanted=f"at most {MOST_OFFERS}")
    seen: set[str] = set()
    for index, offer in enumerate(offers):
        where = f"{field}[{index}]"
        check_name(offer.name, f"{where}.name")
        if offer.name in seen:
            raise Refused("two offers have one name", field=f"{where}.name", found=offer.name)
        seen.add(offer.name)
        if not 0 <= offer.count <= MOST_UNITS:
            raise Refused("is out of bounds", field=f"{where}.count", found=offer.count, wanted=f"0 to {MOST_UNITS}")
        for name in ("gpus", "gpu_memory_bytes", "cpus_milli", "memory_bytes"):
            amount = getattr(offer.resources, name)
            most = MOST_GPUS if name == "gpus" else MOST_OF_ANYTHING
            if not 0 <= amount <= most:
                wanted = f"0 to {most}"
                raise Refused("is out of bounds", field=f"{where}.resources.{name}", found=amount, wanted=wanted)
        standing = len(offer.mig_layout)
        if standing > MOST_INSTANCES * offer.resources.gpus:
            wanted = f"at most {MOST_INSTANCES} for each GPU"
            raise Refused("has too many instances", field=f"{where}.mig_layout", found=standing, wanted=wanted)
