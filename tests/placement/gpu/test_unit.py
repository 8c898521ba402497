"""The GPUs of one unit, as a conversation: what is asked, and which seat is given."""

from placement.gpu.division import offer_divisions
from placement.gpu.unit import MILLI, GpuSeat, UnitGpus
from placement.gpu.wanted import Wanted
from tidegate.model.quantity import Resources
from tidegate.model.site import GpuSharing, MigInstance, Offer

GIB = 2**30
A100 = Offer("a", Resources(2, 40 * GIB, 8_000, 64 * GIB), gpu_model="A100", gpu_sharing=GpuSharing.MIG)
L4 = Offer("l", Resources(2, 24 * GIB, 8_000, 64 * GIB), gpu_model="L4", gpu_sharing=GpuSharing.FRACTION)


class Bench:
    """`>>` asks for a seat and takes it, `<<` says which it was."""

    def __init__(self, offer: Offer) -> None:
        gpus, memory = offer.resources.gpus, offer.resources.gpu_memory_bytes
        self.gpus = UnitGpus(
            offer.gpu_sharing, memory, offer_divisions(offer), [MILLI] * gpus, [memory] * gpus, [0] * gpus
        )
        self.last: GpuSeat | None = None

    def __rshift__(self, wanted: Wanted) -> "Bench":
        self.last = self.gpus.seat(wanted)
        if self.last is not None:
            self.gpus.take(wanted, self.last)
        return self

    def __lshift__(self, seat: GpuSeat | None) -> "Bench":
        assert self.last == seat
        return self


def share(milli: int, gib: int = 1) -> Wanted:
    return Wanted(share_milli=milli, gpu_memory_bytes=gib * GIB)


def mig(profile: str) -> Wanted:
    return Wanted(mig_profile=profile)


def at(*gpus: int, start: int = 0) -> GpuSeat:
    return GpuSeat(gpus, start)


def test_shares_fill_a_gpu_that_is_shared_before_one_that_is_free() -> None:
    bench = Bench(L4) >> share(600) << at(0) >> share(300) << at(0) >> share(600) << at(1) >> share(100) << at(0)
    bench >> Wanted(gpus=1) << None


def test_a_share_is_bounded_by_memory_as_by_compute() -> None:
    Bench(L4) >> share(100, 20) << at(0) >> share(100, 8) << at(1) >> share(100, 17) << None >> share(100, 4) << at(0)


def test_whole_gpus_are_free_ones_with_the_lowest_numbers() -> None:
    Bench(L4) >> share(1) << at(0) >> Wanted(gpus=1) << at(1) >> Wanted(gpus=1) << None
    Bench(L4) >> Wanted(gpus=2, gpu_memory_bytes=25 * GIB) << None >> Wanted(gpus=2) << at(0, 1)
    Bench(L4) >> Wanted(gpus=3) << None


def test_instances_are_packed_so_that_large_ones_stay_possible() -> None:
    bench = Bench(A100) >> mig("1g.5gb") << at(0, start=6) >> mig("1g.5gb") << at(0, start=4)
    bench >> mig("2g.10gb") << at(0, start=0) >> mig("2g.10gb") << at(0, start=2)
    Bench(A100) >> mig("3g.20gb") << at(0, start=4) >> mig("4g.20gb") << at(0, start=0) >> mig("4g.20gb") << at(1)


def test_an_empty_gpu_changes_between_whole_and_divided_and_no_other_does() -> None:
    bench = Bench(A100) >> mig("1g.5gb") << at(0, start=6) >> Wanted(gpus=1) << at(1)
    bench >> mig("7g.40gb") << None >> Wanted(gpus=1) << None >> mig("4g.20gb") << at(0)


def test_media_extensions_are_given_once_a_gpu() -> None:
    bench = Bench(A100) >> mig("1g.5gb+me") << at(0, start=6) >> mig("1g.5gb+me") << at(1, start=6)
    bench >> mig("1g.5gb+me") << None


def test_a_layout_that_stands_gives_out_its_instances_alone() -> None:
    layout = (MigInstance(0, "3g.20gb", 0), MigInstance(0, "1g.5gb", 5))
    fixed = Offer("f", A100.resources, gpu_model="A100", gpu_sharing=GpuSharing.MIG, mig_layout=layout)
    bench = Bench(fixed) >> mig("1g.5gb") << at(0, start=5) >> mig("1g.5gb") << at(1, start=6)
    bench >> mig("3g.20gb") << at(0, start=0) >> mig("3g.20gb") << at(1, start=0) >> mig("3g.20gb") << None
    bench >> Wanted(gpus=1) << None
    Bench(fixed) >> Wanted(gpus=2) << None >> Wanted(gpus=1) << at(1)
