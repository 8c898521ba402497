"""Judging a proposed law in the worker: what stands, and what was decided within a window."""

import time
from collections.abc import Iterator
from typing import BinaryIO

from broker.core import freeze
from broker.core.decide.impact import Trial, recorded, standing
from broker.core.state import State
from broker.runtime.history import event_of
from broker.trial import frames
from broker.workers.frames import frame_from, framed
from tidegate.model.errors import Broken
from tidegate.model.event import Recorded, WorkloadDecided, WorkloadQueued
from tidegate.model.impact import Impact, Touched
from tidegate.model.policy import Policy
from tidegate.wire.codec import decode

TELL_EVERY_S = 1.0


def judge(question: BinaryIO, out: BinaryIO) -> None:
    """Read the question, tell how far it is, answer."""

    def next_frame() -> bytes:
        frame = frame_from(question)
        if frame is None:
            raise Broken("the question ends too soon")
        return frame

    def rows() -> Iterator[bytes]:
        while (frame := frame_from(question)) is not None:
            yield frame

    told = time.monotonic()

    def tell(done: int) -> None:
        nonlocal told
        if time.monotonic() - told > TELL_EVERY_S:
            told = time.monotonic()
            out.write(framed(frames.progress_bytes(done)))
            out.flush()

    head = frames.head_of(next_frame())
    trial = Trial(tuple(decode(Policy, next_frame()) for _ in range(head.policies)), head.without)
    now = freeze.thaw(next_frame())
    touched: list[Touched] = []
    judged = 0
    for one in standing(now, trial, head.at):
        judged += 1
        touched += [one] if one else []
        tell(judged)
    past, decisions, first, last = State(), 0, 0, 0
    for frame in rows():
        offset, kind, version, payload = frames.row_of(frame)
        event = event_of(kind, version, payload)
        within = event.at >= head.since and offset >= head.from_offset
        if isinstance(event, WorkloadDecided | WorkloadQueued) and within:
            decisions += 1
            first, last = first or offset, offset
            if one := recorded(past, trial, event, offset):
                touched.append(one)
        past.apply(Recorded(offset, event))
        tell(judged + offset)
    policies = trial.law(now.law).policy_refs
    impact = Impact(policies, now.offset, judged, decisions, first, last, tuple(touched))
    out.write(framed(frames.impact_bytes(impact)))
