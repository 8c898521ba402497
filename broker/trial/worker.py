"""The worker of a trial: one question from standard input, the answer to standard output, and the process ends.

    python -m broker.trial.worker MEMORY_BYTES CPU_S

It bounds itself before it reads anything. First what stands is judged, on the state that came with the question; then,
where there is a window, the log is folded from its first row into a second state, and each decision in the window is
judged right before it is applied. Memory is that of two states.

Exit codes: 0 answered, 1 something went wrong (the story is on standard error), 2 wrong usage.
"""

import os
import resource
import sys
import time
from collections.abc import Iterator
from typing import BinaryIO

USAGE = 2
TELL_EVERY_S = 1.0


def main(arguments: list[str]) -> int:
    """Bound the process, judge, answer."""
    if len(arguments) != 2 or not all(argument.isdecimal() for argument in arguments):
        sys.stderr.write(f"usage: {__doc__}")
        return USAGE
    memory_bytes, cpu_s = map(int, arguments)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    os.nice(5)  # whoever decides now goes first
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as out:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        judge(sys.stdin.buffer, out)
    return 0


def judge(question: BinaryIO, out: BinaryIO) -> None:
    """Read the question, tell how far it is, answer."""
    # After the bounds, so that they hold for what is loaded too.
    from broker.core import freeze
    from broker.core.decide.impact import Trial, recorded, standing
    from broker.core.state import State
    from broker.runtime.history import event_of
    from broker.trial import frames
    from tidegate.model.errors import Broken
    from tidegate.model.event import Recorded, WorkloadDecided, WorkloadQueued
    from tidegate.model.impact import Impact, Touched
    from tidegate.model.policy import Policy
    from tidegate.wire.codec import decode

    def next_frame() -> bytes:
        frame = frames.frame_from(question)
        if frame is None:
            raise Broken("the question ends too soon")
        return frame

    def rows() -> Iterator[bytes]:
        while (frame := frames.frame_from(question)) is not None:
            yield frame

    told = time.monotonic()

    def tell(done: int) -> None:
        nonlocal told
        if time.monotonic() - told > TELL_EVERY_S:
            told = time.monotonic()
            out.write(frames.framed(frames.progress_bytes(done)))
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
    out.write(frames.framed(frames.impact_bytes(impact)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
