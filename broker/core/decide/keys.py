"""Idempotency keys and names: the bounds they keep, and what a key that was used before means."""

from broker.core.commands import KEY_CHARACTERS, NAME_CHARACTERS
from broker.core.records import Answer
from broker.core.state import State
from tidegate.model.errors import Conflict, Refused


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
