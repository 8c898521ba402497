"""What is fuzzed: a reader of bytes, what it may say, and what its inputs look like."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.fuzzing import CPU_MS, MEMORY_BYTES
from tidegate.model.errors import Refused

Seeds = Callable[[], list[bytes]]
Mutation = Callable[[Random, bytes], bytes]


@dataclass(frozen=True)
class Target:
    """One reader."""

    name: str
    run: Callable[[bytes], Any]
    """Returns or raises. It must not remember: the same bytes do the same, whatever came before."""
    seeds: Seeds
    """Inputs that are taken, from which others are made."""
    refused: tuple[type[Exception], ...] = (Refused,)
    """What the reader promises to raise."""
    tokens: tuple[bytes, ...] = ()
    """Words of its language."""
    mutation: Mutation | None = None
    """One that knows the form of the input, used beside those that know bytes only."""
    largest: int = 16_384
    """Bytes of an input."""
    cpu_ms: int = CPU_MS
    memory_bytes: int = MEMORY_BYTES
    """Where it may take longer, or hold more, the target says why."""
