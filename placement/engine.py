"""The engine: the numbered steps from a workload to a decision.

1. admit    the workload can be asked at all
2. law      every rule of every policy, for every site
3. reach    available, engine, latency, volume
4. fit      one copy, all copies, the team's limit, spread
5. price    money per hour for every site with room
6. choose   rank what every rule allows; the least score wins, on the offers that rules prefer where these cost less
7. explain  the matrix, a miss for every "no", what would help, and what the rules cost

The decision is audited (`placement.audit.auditor`) and recorded by the broker. `plan` is the same call: a decision that
nobody records changes nothing.

Time (`python -m tests.bench decisions`): over 1,000 sites, 10,000 offers and 200 policy rules, on one core, a decision
never seen before takes 0.33 ms (p50; p99 0.7), after some hundreds 0.32; with ten times the offers 0.54 ms (p99 1.1).
One of a class seen before takes 0.02 ms, and where a node has changed in between 0.05 ms, in a fleet of 10,000 offers
as of 100,000: what is remembered is made good where the change lies (`placement.classes`). The innermost sums are
machine code (`placement.native`). A refusal that is advised (`advise`) takes some 16 ms, most of it trying changes.
"""

import numpy as np

from placement.classes import consider, stand, with_ties
from placement.explain import pack_bits
from placement.fleet.fleet import Fleet
from placement.law.law import Law
from placement.proposals.relax import cheaper, relaxations
from placement.proposals.rule_costs import rule_prices
from placement.recording import pack_numbers
from placement.scoring.tie import ties
from placement.verdicts import Question, Watch, silent
from tidegate.model.decision import Cost, Decision, Outcome, Relaxation
from tidegate.model.errors import Refused
from tidegate.model.mig import NAMES, gpu_milli
from tidegate.model.workload import Demand, Spread, Workload, WorkloadKind

MOST_COPIES = 100_000
"""The most copies that one workload may ask for."""


def decide(
    workload: Workload,
    fleet: Fleet,
    law: Law,
    *,
    now: int,
    revision: int,
    model_digest: str = "",
    exclude: frozenset[str] = frozenset(),
    watch: Watch = silent,
    advise: bool = True,
) -> Decision:
    """Where a workload goes, or why it goes nowhere; with `advise`, what would make a refused one fit.

    `now` is recorded, not read; `revision` is the log offset that fleet and law were folded from; `model_digest` finds
    measured service times; `exclude` names sites left out. The fleet is not changed. Raises Refused, with the field,
    where the workload makes no sense wherever it would go; a workload that fits nowhere is a refused decision.
    """
    admit(workload)
    law = law.at(now)
    if watch is not silent:
        watch("admit", {"sites": len(fleet.columns)})
    question = Question(law, model_digest, exclude, now)
    considered = consider(workload, fleet, question, watch)
    verdicts, standing, ranking = considered.verdicts, considered.order, considered.ranking
    tie = ties(workload.name, considered.seeds)
    wanted = workload.copies if workload.spread is Spread.SITE else 1
    best = standing.best(wanted + 1, tie)
    chosen = best[:wanted] if len(best) >= wanted else []
    other = best[len(chosen)] if chosen and len(best) > wanted else None
    there = stand(considered, tuple(chosen), workload, fleet)
    if watch is not silent:
        watch("choose", {"allowed": len(standing.rows), "candidates": len(fleet.columns)})
    decision = Decision(
        outcome=Outcome.PLACED if chosen else Outcome.REFUSED,
        candidates=fleet.columns.names,
        columns=considered.columns,
        ranking=ranking and with_ties(ranking, pack_numbers(tie)),
        slots=there.slots,
        cost=there.cost,
        relaxations=relaxations(verdicts, workload, fleet, question) if advise and not chosen else (),
        rule_prices=rule_prices(considered.without, there.cost) if chosen else (),
        policies=law.policy_refs,
        price_book=law.price_book_ref,
        decided_at=now,
        revision=revision,
        runner_up="" if other is None else fleet.columns.names[other],
        monthly=there.monthly,
        margin_micros_per_hour=0 if other is None else standing.paid(other) - standing.paid(chosen[-1]),
        seats=there.seats,
        among=_asked(fleet, exclude) if exclude else b"",
        readings=there.readings,
    )
    if watch is not silent:
        watch("explain", {"misses": verdicts.misses, "relaxations": len(decision.relaxations)})
    return decision


def would_be_cheaper(
    workload: Workload, fleet: Fleet, law: Law, cost: Cost, *, now: int, model_digest: str = ""
) -> tuple[Relaxation, ...]:
    """What a placed workload could give way in to cost less than `cost`; each proposal is tried.

    `fleet` is as it stands without the workload. Asked apart from the decision, by whoever reads its explanation.
    """
    question = Question(law.at(now), model_digest, now=now)
    considered = consider(workload, fleet, question)
    return cheaper(considered.verdicts, workload, fleet, question, cost)


def admit(workload: Workload) -> None:
    """Raise Refused, with the field, where the workload makes no sense wherever it would go."""
    training = workload.kind is WorkloadKind.TRAINING_JOB
    if (workload.training is None) == training or (workload.inference is None) != training:
        wanted = "training alone" if training else "inference alone"
        raise Refused(f"a {workload.kind.value} has the wrong part", field="kind", found=workload.kind, wanted=wanted)
    if not 1 <= workload.copies <= MOST_COPIES:
        field = "training.workers" if training else "inference.replicas.minimum"
        wanted = f"1 to {MOST_COPIES}"
        raise Refused("no such number of copies", field=field, found=workload.copies, wanted=wanted)
    resources = workload.demand.resources
    if min(resources.gpus, resources.gpu_memory_bytes, resources.cpus_milli, resources.memory_bytes) < 0:
        raise Refused("a demand is negative", field="demand.resources", found=resources, wanted="0 or more of each")
    _admit_part(workload.demand)


def _admit_part(demand: Demand) -> None:
    """A part of a GPU is a share or an instance, and nothing else beside it."""
    if not 0 <= demand.gpu_share_milli < 1000:
        wanted = "1 to 999 thousandths, or 0 for whole GPUs"
        raise Refused("no such share", field="demand.gpu_share_milli", found=demand.gpu_share_milli, wanted=wanted)
    if demand.mig_profile and not gpu_milli(demand.mig_profile):
        wanted = f"one of {', '.join(NAMES)}"
        raise Refused("no such MIG profile", field="demand.mig_profile", found=demand.mig_profile, wanted=wanted)
    forms = (demand.resources.gpus, demand.gpu_share_milli, demand.mig_profile)
    if sum(map(bool, forms)) > 1:
        wanted = "whole GPUs, a share of one, or a MIG instance"
        raise Refused("a demand asks for GPUs in several ways", field="demand", found=forms, wanted=wanted)


def _asked(fleet: Fleet, exclude: frozenset[str]) -> bytes:
    """Who was not left out, packed."""
    return pack_bits(np.array([name not in exclude for name in fleet.columns.names], dtype=np.bool_))
