"""Teams and stakes for tests, in GPUs."""

from placement.quota.ledger import Ledger, Right, Stake
from tidegate.model.money import Quota, Team
from tidegate.model.quantity import Resources
from tidegate.model.workload import Priority


def gpus(count):
    """A quota of whole GPUs."""
    return Quota(Resources(gpus=count))


def team(name, guaranteed=0, *, limit=0, parent="", **more):
    """A team that is guaranteed and limited in GPUs."""
    return Team(name, Resources(gpus=guaranteed), Resources(gpus=limit) if limit else None, parent=parent, **more)


def stake(workload_id, whose, count, *, firm=False, importance=Priority.STANDARD, since=1, model=""):
    """A workload that holds whole GPUs at one site."""
    amounts = {"gpus": count * 1000} | ({f"gpus/{model}": count * 1000} if model else {})
    return Stake(f"{workload_id}@s", whose, amounts, Right(importance, not firm, since))


def ledger(*stakes):
    """A ledger of these."""
    found = Ledger()
    for one in stakes:
        found.put(one)
    return found
