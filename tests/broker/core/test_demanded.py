"""The mix as the fold counts it: editions, names, and the policy that follows from them."""

from broker.core import freeze
from broker.core.demanded import COPIES_COUNTED, Demanded, ask_of, asked_as, name_of
from broker.core.state import State
from placement.packing.pooled import Pooled
from placement.packing.seating import TightestFit
from placement.pool.nouns import Ask
from placement.pool.popularity import SCALE
from tidegate.model.decision import Decision, Outcome
from tidegate.model.event import Recorded, WorkloadDecided, WorkloadSubmitted
from tidegate.model.quantity import Resources
from tidegate.model.workload import Demand, Inference, Replicas, Training, Workload, WorkloadKind


def service(name: str, *, share: int = 0, replicas: int = 1) -> Workload:
    demand = Demand(Resources(0 if share else 1, 0, 1000, 2**30), gpu_share_milli=share)
    return Workload(
        name, WorkloadKind.INFERENCE_SERVICE, demand, inference=Inference("models:/m/1", replicas=Replicas(replicas))
    )


def test_every_copy_counts_and_the_first_ask_makes_an_edition() -> None:
    one = Demanded().counted(service("a", replicas=3))
    assert one.counts == {"1000/1073741824/1/0/": 3 * SCALE}
    assert one.edition == one.counts
    assert one.counted(service("b", share=300)).edition == one.counts | {"1000/1073741824/1/300/": SCALE}


def test_an_edition_holds_until_an_eighth_as_much_has_come() -> None:
    mix = Demanded()
    for _ in range(80):
        mix = mix.counted(service("a"))
    before = mix.edition
    assert before["1000/1073741824/1/0/"] <= 80 * SCALE
    further = 0
    while mix.edition is before:
        mix, further = mix.counted(service("b")), further + 1
    assert 1 <= further <= 12
    assert mix.edition["1000/1073741824/1/0/"] > 80 * SCALE


def test_one_gang_is_not_the_whole_mix() -> None:
    gang = Workload(
        "g", WorkloadKind.TRAINING_JOB, Demand(Resources(8, 0, 1000, 0)), training=Training("train.py", workers=1000)
    )
    assert Demanded().counted(gang).asks == COPIES_COUNTED


def test_names_hold_what_a_class_is() -> None:
    for ask in (Ask(1, 2), Ask(1, 2, 8), Ask(1, 2, 1, 300, ("A100", "H/100"))):
        assert asked_as(name_of(ask)) == ask


def test_demands_become_classes() -> None:
    assert ask_of(Demand(Resources(0, 2**30, 500, 1), gpu_share_milli=250)) == Ask(500, 1, 1, 250)
    assert ask_of(Demand(Resources(2, 0, 500, 1), gpu_models=("B", "A"))) == Ask(500, 1, 2, 0, ("A", "B"))
    assert ask_of(Demand(Resources(0, 0, 500, 1), mig_profile="1g.10gb")) == Ask(500, 1, 1, 143)
    assert ask_of(Demand(Resources(16, 0, 500, 1))) is None, "no pool has such a node"


def test_a_restored_state_chooses_by_the_same_edition() -> None:
    state = State()
    assert isinstance(state.fleet.policy, TightestFit)
    for offset in range(1, 40, 2):
        submitted = WorkloadSubmitted(at=offset, workload=service(f"s{offset}", share=100 + offset % 3))
        state.apply(Recorded(offset, submitted))
        refused = WorkloadDecided(offset, f"w{offset}", Decision(Outcome.REFUSED, (), ()))
        state.apply(Recorded(offset + 1, refused))
    assert isinstance(state.fleet.policy, Pooled)
    again = freeze.thaw(freeze.freeze(state))
    assert again.demanded == state.demanded
    assert isinstance(again.fleet.policy, Pooled)
