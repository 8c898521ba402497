"""The recorder in front of a spool that is slow, full or broken."""

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agents.spool import Fact, Kind, ShedClass, SpoolFull
from edge.serving.prediction import Call, ModelIdentity, Origin
from edge.serving.recorder import RECORD_CALLS, WAITING_CALLS, SpoolRecorder
from edge.serving.trace import SpanContext
from tests.support.until import until_async
from tidegate.model.errors import Broken, TidegateError, Unavailable
from tidegate.model.workload import Audit
from tidegate.v1.prediction_pb2 import PredictionBatch

MODEL = ModelIdentity("digits", "1", "ab" * 32, 7, None)
ORIGIN = Origin("press-7", "line-camera")


class SlowSpool:
    """Takes facts when it is told to, or fails as it is told to."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.error: TidegateError | None = None
        self.appended: list[list[Fact]] = []
        self.asked = 0
        self.closed = False

    async def append(self, facts: Sequence[Fact]) -> int:
        self.asked += 1
        await self.open.wait()
        if self.error is not None:
            raise self.error
        self.appended.append(list(facts))
        return len(self.appended)

    async def close(self) -> None:
        self.closed = True


def call(number: int, *, error: str = "", recorded: bool = True) -> Call:
    span = SpanContext(number.to_bytes(16), number.to_bytes(8))
    return Call(MODEL, "digits", str(number), span, None, number * 10**6, 5000, 1000, 2000, "http", error, recorded)


def recorder_of(spool: SlowSpool, audit: Audit, broken: list[Broken] | None = None) -> SpoolRecorder:
    return SpoolRecorder(spool, ORIGIN, audit, 4, (broken if broken is not None else cast("list[Broken]", [])).append)


def predictions(facts: list[Fact]) -> list[str]:
    return [
        each.request_id
        for fact in facts
        if fact.kind is Kind.PREDICTIONS
        for each in PredictionBatch.FromString(fact.payload).predictions
    ]


async def test_callers_that_arrive_during_a_commit_share_the_next() -> None:
    spool = SlowSpool()
    recorder = recorder_of(spool, Audit.EVERY_PREDICTION)
    keeping = [asyncio.create_task(recorder.keep(call(number))) for number in range(1, 4)]
    await until_async(lambda: spool.asked == 1, what="the first commit")
    keeping += [asyncio.create_task(recorder.keep(call(number))) for number in range(4, 9)]
    await asyncio.wait(keeping, timeout=0)
    assert not any(task.done() for task in keeping)
    spool.open.set()
    await asyncio.gather(*keeping)
    assert [predictions(facts) for facts in spool.appended] == [["1", "2", "3"], ["4", "5", "6", "7", "8"]]
    record, spans = spool.appended[1]
    assert (record.kind, record.shed_class, record.count, record.at_ms) == (Kind.PREDICTIONS, ShedClass.AUDIT, 5, 4)
    assert (spans.kind, spans.shed_class, spans.count) == (Kind.SPANS, ShedClass.OK, 5)
    await recorder.close()
    assert spool.closed


async def test_a_full_spool_is_told_to_each_caller_and_the_next_commit_is_a_new_chance() -> None:
    spool = SlowSpool()
    spool.open.set()
    spool.error = SpoolFull("what is in the way may not be shed")
    recorder = recorder_of(spool, Audit.EVERY_PREDICTION)
    failed = await asyncio.gather(recorder.keep(call(1)), recorder.keep(call(2)), return_exceptions=True)
    assert all(isinstance(error, Unavailable) and error.field == "spool" for error in failed)
    assert failed[0] is not failed[1]
    assert recorder.shed == 2
    spool.error = None
    await recorder.keep(call(3))
    assert [predictions(facts) for facts in spool.appended] == [["3"]]
    await recorder.close()


async def test_a_broken_spool_ends_the_server() -> None:
    spool = SlowSpool()
    spool.open.set()
    spool.error = Broken("syncing failed")
    broken: list[Broken] = []
    recorder = recorder_of(spool, Audit.EVERY_PREDICTION, broken)
    with pytest.raises(Broken, match="syncing failed"):
        await recorder.keep(call(1))
    assert broken == [spool.error]
    with pytest.raises(Unavailable, match="stopping"):
        await recorder.keep(call(2))
    await recorder.close()


async def test_what_nobody_waits_for_is_flushed_soon_with_failures_in_a_class_of_their_own() -> None:
    spool = SlowSpool()
    spool.open.set()
    recorder = recorder_of(spool, Audit.OFF)
    await recorder.keep(call(1, recorded=False))
    recorder.note(call(2, error="no such model", recorded=False))
    await until_async(lambda: spool.appended, what="the flush")
    failed, well = spool.appended[0]
    assert (failed.shed_class, well.shed_class) == (ShedClass.ERROR, ShedClass.OK)
    [group] = ExportTraceServiceRequest.FromString(failed.payload).resource_spans
    assert group.scope_spans[0].spans[0].status.message == "no such model"
    await recorder.close()


async def test_closing_writes_what_waits() -> None:
    spool = SlowSpool()
    spool.open.set()
    recorder = recorder_of(spool, Audit.SAMPLED)
    recorder.note(call(1))
    await recorder.close()
    assert [predictions(facts) for facts in spool.appended] == [["1"]]
    assert spool.appended[0][0].shed_class is ShedClass.OK


async def test_no_more_than_the_bound_waits() -> None:
    spool = SlowSpool()
    recorder = recorder_of(spool, Audit.OFF)
    recorder.note(call(1, recorded=False))
    await until_async(lambda: spool.asked == 1, what="the first flush")
    for number in range(2, WAITING_CALLS + 12):
        recorder.note(call(number, recorded=False))
    assert recorder.shed == 10
    late = asyncio.create_task(recorder.keep(call(99_999, recorded=False)))
    assert await asyncio.wait([late], timeout=0) == (set(), {late})
    spool.open.set()
    await late
    await recorder.close()
    assert sum(fact.count for facts in spool.appended for fact in facts) == 1 + WAITING_CALLS + 1


async def test_one_in_so_many_traces_is_sampled_and_always_the_same() -> None:
    recorder = recorder_of(SlowSpool(), Audit.SAMPLED)
    chosen = [number for number in range(100) if recorder.records(number.to_bytes(16))]
    assert len(chosen) == 25
    assert chosen == [number for number in range(100) if recorder.records(number.to_bytes(16))]
    await recorder.close()


async def test_a_record_is_short_enough_for_a_thin_link_however_many_calls_came_at_once() -> None:
    spool = SlowSpool()
    spool.open.set()
    recorder = recorder_of(spool, Audit.EVERY_PREDICTION)
    failed = [call(number, error="too slow" if number % 3 else "") for number in range(300)]
    await asyncio.gather(*(recorder.keep(each) for each in failed))
    facts = [fact for batch in spool.appended for fact in batch]
    assert predictions(facts) == [str(number) for number in range(300)]
    assert sum(fact.count for fact in facts if fact.kind is Kind.SPANS) == 300
    assert max(len(fact.payload) for fact in facts) < 12 * 1024
    assert max(fact.count for fact in facts) == RECORD_CALLS
    await recorder.close()
