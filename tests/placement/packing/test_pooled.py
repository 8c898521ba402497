"""Seating by the pool: units chosen by what their leftovers are good for, and legal whatever comes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from placement.fleet.fleet import Fleet
from placement.packing.pooled import Pooled
from placement.pool.choosing import Chooser
from placement.pool.nouns import Ask, mix_of
from tidegate.model.decision import Seat, Slot
from tidegate.model.errors import Broken
from tidegate.model.quantity import Resources
from tidegate.model.site import Engine, GpuSharing, Offer, Site, Tier
from tidegate.model.workload import Demand, Inference, Workload, WorkloadKind

GIB = 2**30
MIX = mix_of({Ask(1000, 0, 1, 500): 5, Ask(1000, 0, 1): 4, Ask(1000, 0, 1, 300): 2})


def fleet(*, gpus: int = 2, count: int = 4, sharing: GpuSharing = GpuSharing.FRACTION) -> Fleet:
    there = Fleet(Pooled(Chooser(MIX)))
    offer = Offer("node", Resources(gpus, 40 * GIB, 16_000, 64 * GIB), count, gpu_model="A100", gpu_sharing=sharing)
    site = Site("dc", Tier.ON_PREM, "self", "DE", engines=(Engine.PROCESS,), offers=(offer,))
    there.put_site(site, reachable=True, cordoned=False)
    return there


def service(*, share: int = 0, gpus: int = 0, cpus: int = 1000, profile: str = "", memory: int = 0) -> Workload:
    resources = Resources(gpus, memory, cpus, 0)
    demand = Demand(resources, gpu_share_milli=share, mig_profile=profile)
    return Workload("s", WorkloadKind.INFERENCE_SERVICE, demand, inference=Inference("models:/m/1"))


def put(there: Fleet, name: str, workload: Workload) -> Seat:
    slots = (Slot("dc", "node", 1),)
    (seat,) = there.seats(workload, slots)
    there.take(name, slots, workload.demand, seats=(seat,))
    return seat


def test_a_share_joins_its_other_half() -> None:
    there = fleet()
    assert put(there, "a", service(share=500)) == Seat(0, (0,))
    assert put(there, "b", service(gpus=1)) == Seat(0, (1,))
    assert put(there, "c", service(share=500)) == Seat(0, (0,)), "rather than open another GPU"


def test_work_without_gpus_leaves_cpus_where_gpus_are_free() -> None:
    there = fleet(count=2)
    put(there, "a", service(gpus=2))
    assert put(there, "b", service(cpus=4000)).unit == 0, "its GPUs are gone, so its CPUs cost nothing"


def test_divided_gpus_are_seated_by_their_own_table() -> None:
    there = fleet(sharing=GpuSharing.MIG)
    assert put(there, "a", service(profile="1g.5gb")).unit == 0
    assert put(there, "b", service(gpus=1)).gpus in ((0,), (1,))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from((0, 300, 500, 810)), st.integers(0, 2), st.sampled_from((500, 4000)), st.booleans()),
        max_size=25,
    )
)
def test_no_gpu_is_ever_given_out_twice(work: list[tuple[int, int, int, bool]]) -> None:
    there, left = fleet(), {}
    for number, (share, gpus, cpus, goes) in enumerate(work):
        workload = service(share=share, gpus=0 if share else gpus, cpus=cpus, memory=GIB)
        try:
            seat = put(there, str(number), workload)
        except Broken:
            continue  # no room; the engine would not have asked
        for gpu in seat.gpus:
            at = (seat.unit, gpu)
            left[at] = left.get(at, 1000) - (share or 1000)
            assert left[at] >= 0
        if goes:
            there.release(str(number))
            for gpu in seat.gpus:
                left[seat.unit, gpu] += share or 1000
