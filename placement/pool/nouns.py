"""The pool's nouns: a shape of node, what one piece of work asks for, and the seat it gets."""

from dataclasses import dataclass

WHOLE = 1000
"""Thousandths of one GPU."""
MOST_GPUS = 8
"""The most GPUs that one node may have."""


@dataclass(frozen=True, slots=True, order=True)
class Shape:
    """What a node has when it is empty."""

    cpus_milli: int
    memory_bytes: int
    gpus: int
    gpu_model: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.gpus <= MOST_GPUS:
            raise ValueError(f"a node has 0 to {MOST_GPUS} GPUs, not {self.gpus}")


@dataclass(frozen=True, slots=True, order=True)
class Ask:
    """A class of work: all that ask for the same are one class."""

    cpus_milli: int
    memory_bytes: int
    gpus: int = 0
    share_milli: int = 0
    """Thousandths of one GPU, 1 to 999; 0 asks for whole GPUs."""
    models: tuple[str, ...] = ()
    """GPU models that will do; empty: any. Nothing to say where no GPU is asked for."""

    def __post_init__(self) -> None:
        if self.cpus_milli < 0 or self.memory_bytes < 0 or not 0 <= self.gpus <= MOST_GPUS:
            raise ValueError(f"not to be asked for: {self}")
        if self.share_milli and (self.gpus != 1 or not 0 < self.share_milli < WHOLE):
            raise ValueError(f"a share is of one GPU, 1 to {WHOLE - 1} thousandths: {self}")

    @property
    def per_gpu_milli(self) -> int:
        """What is taken of each GPU, in thousandths."""
        return self.share_milli or (WHOLE if self.gpus else 0)

    @property
    def gpu_milli(self) -> int:
        """What is taken of all GPUs together, in thousandths."""
        return self.per_gpu_milli * self.gpus

    def allows(self, shape: Shape) -> bool:
        """Whether it could ever stand on a node of this shape."""
        return (
            self.cpus_milli <= shape.cpus_milli
            and self.memory_bytes <= shape.memory_bytes
            and self.gpus <= shape.gpus
            and (not self.gpus or not self.models or shape.gpu_model in self.models)
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """One class in a mix of work."""

    ask: Ask
    count: int
    """How often it is asked for, against the others."""


Mix = tuple[Wanted, ...]
"""The work that is expected, most frequent classes first."""


@dataclass(frozen=True, slots=True)
class Seat:
    """Where one piece of work stands."""

    node: int
    gpus: tuple[int, ...]
    """Indices of its GPUs on the node, ascending; empty where it asked for none."""


def mix_of(asks: dict[Ask, int]) -> Mix:
    """A mix from counts: the most frequent first, then by what is asked, so that it is the same on every machine."""
    return tuple(Wanted(ask, count) for ask, count in sorted(asks.items(), key=lambda item: (-item[1], item[0])))
