"""What must hold of the GPU parts of a manifest: of a demand for whole GPUs, a share or a MIG instance; of an offer.

    demand: {gpus: 2, gpuMemory: 40Gi}             two whole GPUs, 40Gi or more on each
    demand: {gpuShare: 500m, gpuMemory: 10Gi}      half of one GPU's compute and 10Gi of its memory; 0.5 and 50% too
    demand: {mig: 1g.10gb}                         one MIG instance

Exactly one of the three forms, or none. A share says its memory, since nothing else keeps it from its neighbours'.
"""

from collections.abc import Iterator

from tidegate.manifests import quantities as q
from tidegate.manifests.shapes import Wrong, near
from tidegate.model import mig
from tidegate.model.site import GpuSharing, Offer
from tidegate.model.workload import Demand


def wrong_in_demand(demand: Demand) -> Iterator[Wrong]:
    """What a demand's fields say against each other."""
    resources, profile = demand.resources, demand.mig_profile
    if demand.gpu_share_milli and resources.gpus:
        yield Wrong("gpuShare", "excludes gpus: it is a share of one GPU", "give one of the two")
    if profile and (resources.gpus or demand.gpu_share_milli):
        other = "gpus" if resources.gpus else "gpuShare"
        yield Wrong("mig", f"excludes {other}: an instance stands for a GPU", "give one of the two")
    if demand.gpu_share_milli and not resources.gpu_memory_bytes:
        yield Wrong("gpuShare", "is given without gpuMemory, so that nothing would bound its memory", "give gpuMemory")
    if demand.time_slicing and not demand.gpu_share_milli:
        yield Wrong("timeSlicing", "speaks of a share where none is demanded", "give gpuShare, or leave it out")
    if not demand.on_gpu:
        for name, given in (("gpuMemory", resources.gpu_memory_bytes), ("gpuModels", demand.gpu_models)):
            if given:
                yield Wrong(name, "speaks of GPUs where none are demanded", "give gpus, or leave it out")
    if profile:
        yield from _wrong_profile(demand)


def _wrong_profile(demand: Demand) -> Iterator[Wrong]:
    tables = [table for table in mig.TABLES if table.profile(demand.mig_profile)]
    models = demand.gpu_models
    if models and not any(table in tables for model in models for table in mig.families(model)):
        theirs = tuple(one.name for model in models for table in mig.families(model) for one in table.profiles)
        told = " or ".join(models)
        if not theirs:
            yield Wrong("mig", f"is wanted of {told}, which cannot be divided", "leave it out, or name other gpuModels")
            return
        known = f"{told} has {', '.join(dict.fromkeys(theirs))}"
        yield Wrong("mig", f"is not a profile of {told}", near(demand.mig_profile, theirs) or known)
        return
    most = max((table.profile(demand.mig_profile) or table.profiles[0]).memory_mib for table in tables) * 2**20
    if demand.resources.gpu_memory_bytes > most:
        told = q.format_bytes(most)
        yield Wrong("gpuMemory", f"is more than an instance of {demand.mig_profile} has ({told})", "take a larger one")


def wrong_in_offer(offer: Offer) -> Iterator[Wrong]:
    """What an offer says of sharing its GPUs that cannot be."""
    sharing = offer.gpu_sharing
    if sharing is not GpuSharing.NONE and not offer.resources.gpus:
        yield Wrong("gpuSharing", "speaks of GPUs where none are offered", "give gpus, or leave it out")
        return
    if offer.mig_layout and sharing is not GpuSharing.MIG:
        yield Wrong("migLayout", f"excludes gpuSharing: {sharing}", "give gpuSharing: mig, or leave it out")
    if sharing is not GpuSharing.MIG:
        return
    table = mig.table_of(offer.gpu_model, offer.resources.gpu_memory_bytes)
    if table is None:
        known = ", ".join(dict.fromkeys(one.family.upper() for one in mig.TABLES))
        model = offer.gpu_model or "a GPU without gpuModel"
        yield Wrong("gpuSharing", f"is mig, and {model} cannot be divided", f"give a gpuModel of {known}")
        return
    yield from _wrong_layout(offer, table)


def _wrong_layout(offer: Offer, table: mig.MigTable) -> Iterator[Wrong]:
    taken: dict[int, int] = {}
    counts: dict[tuple[int, str], int] = {}
    for index, one in enumerate(offer.mig_layout):
        where, profile = f"migLayout[{index}]", table.profile(one.profile)
        if one.gpu >= offer.resources.gpus:
            yield Wrong(f"{where}.gpu", f"is not one of {offer.resources.gpus} GPUs, which count from 0")
            continue
        if profile is None:
            names = tuple(known.name for known in table.profiles)
            yield Wrong(f"{where}.profile", f"is not a profile of {offer.gpu_model}", near(one.profile, names))
            continue
        if one.start not in profile.starts:
            starts = ", ".join(map(str, profile.starts))
            yield Wrong(f"{where}.start", f"is not where a {one.profile} can begin", f"it can at {starts}")
            continue
        mask = profile.masks[profile.starts.index(one.start)]
        counts[one.gpu, one.profile] = counts.get((one.gpu, one.profile), 0) + 1
        if taken.get(one.gpu, 0) & mask:
            yield Wrong(f"{where}.start", "overlaps another instance of the same GPU")
        elif counts[one.gpu, one.profile] > profile.most:
            yield Wrong(f"{where}.profile", f"can be on a GPU {profile.most} times at most")
        taken[one.gpu] = taken.get(one.gpu, 0) | mask
