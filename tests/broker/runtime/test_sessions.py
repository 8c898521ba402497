"""Agents' sessions: one a site, differences by generation, a bounded queue, a paced return."""

import asyncio

import pytest

from broker.core.commands import ApplyDeclarations, RegisterModel, SiteSilent, SubmitWorkload
from broker.core.state import State
from broker.log.record import Head
from broker.runtime.bells import Bells
from broker.runtime.executors import Executors
from broker.runtime.loop import Loop
from broker.runtime.sessions import ATTACH_PER_S, LINE_S, OUTGOING, PROBES_AT_ONCE, Sessions
from tests.broker.rpc.test_interceptors import Stopped
from tests.support.builders import model, press, service
from tidegate.model.errors import NotFound, Unavailable
from tidegate.model.session import ComeBack, Difference, HeartbeatSeen, Hello, LogLines, LogRequest, Probes, Welcome


class Kept:
    """A log that keeps everything at once."""

    head = Head()

    async def append(self, records):
        return len(records)


@pytest.fixture
async def setting():
    clock, state, bells = Stopped(), State(), Bells()
    sessions = Sessions(clock, epoch=7, heartbeat_ms=1_000)
    executors = Executors(state, sessions, bells)
    loop = Loop(state, Kept(), clock, executors.start, executors.spoken)
    running = asyncio.create_task(loop.run())
    await loop.ask(ApplyDeclarations(0, (press(),)))
    await loop.ask(RegisterModel(0, model()))
    yield loop, sessions, clock
    loop.stop()
    await running


def said(session) -> list:
    return [session.outgoing.get_nowait() for _ in range(session.outgoing.qsize())]


async def test_a_session_opens_with_welcome_and_a_difference_and_hears_of_changes(setting):
    loop, sessions, _ = setting
    session = await sessions.attach(Hello("press-7", "b", 0), loop)
    welcome, first, _ = said(session)
    assert isinstance(welcome, Welcome) and welcome.epoch == 7
    assert isinstance(first, Difference) and first.whole
    done = await loop.ask(SubmitWorkload(0, service()))
    (told,) = said(session)
    assert (told.base, [a.workload_id for a in told.upserts]) == (first.generation, [done.workload_id])
    other = await loop.ask(SubmitWorkload(0, service("other")))
    (then,) = said(session)  # what was told is not told again, though the agent has not said that it holds it
    assert (then.base, [a.workload_id for a in then.upserts]) == (told.generation, [other.workload_id])


async def test_what_changed_while_away_is_one_difference(setting):
    loop, sessions, _ = setting
    session = await sessions.attach(Hello("press-7", "b", 0), loop)
    await loop.ask(SubmitWorkload(0, service("a")))
    held = session.told
    sessions.detach(session)
    second = await loop.ask(SubmitWorkload(0, service("b")))
    again = await sessions.attach(Hello("press-7", "b", held), loop)
    told = next(word for word in said(again) if isinstance(word, Difference))
    assert (told.whole, told.base, [a.workload_id for a in told.upserts]) == (False, held, [second.workload_id])


async def test_a_site_that_is_taken_for_silent_while_it_attaches_comes_back(setting):
    loop, sessions, _ = setting
    attaching = sessions.attach(Hello("press-7", "b", 0), loop)
    again, _ = await asyncio.gather(attaching, loop.ask(SiteSilent(0, "press-7")))
    assert isinstance(again, ComeBack), "the site is silent now, and the session would never change that"
    assert not isinstance(await sessions.attach(Hello("press-7", "b", 0), loop), ComeBack)
    assert loop.state.sites["press-7"].state == "joined"


async def test_a_newer_session_takes_the_place_of_an_older(setting):
    loop, sessions, _ = setting
    first = await sessions.attach(Hello("press-7", "b", 0), loop)
    second = await sessions.attach(Hello("press-7", "b", 0), loop)
    assert first.ended and not second.ended
    sessions.detach(first)
    sessions.tell(loop.state, "press-7")
    assert not second.ended


async def test_an_agent_that_does_not_read_is_let_go(setting):
    loop, sessions, _ = setting
    session = await sessions.attach(Hello("press-7", "b", 0), loop)
    for beat in range(OUTGOING):
        session.say(HeartbeatSeen(beat))
    assert session.ended and session.outgoing.qsize() == OUTGOING


async def test_too_many_at_once_stand_in_line_and_more_are_told_when_to_come_back(setting):
    loop, sessions, clock = setting
    for _ in range(ATTACH_PER_S):
        await sessions.attach(Hello("press-7", "b", 0), loop)
    in_line = [
        asyncio.create_task(sessions.attach(Hello("press-7", "b", 0), loop)) for _ in range(int(LINE_S * ATTACH_PER_S))
    ]
    assert not isinstance(await in_line[0], ComeBack)
    waits = [(await sessions.attach(Hello("press-7", "b", 0), loop)).after_ms for _ in range(3 * ATTACH_PER_S)]
    for task in in_line[1:]:
        task.cancel()
    assert waits == sorted(waits) and waits[0] >= LINE_S * 1_000 and waits[-1] >= (LINE_S + 2.9) * 1_000
    clock.seconds = waits[-1] / 1_000 + 2.9
    await sessions.silence(loop)
    assert loop.state.sites["press-7"].state == "joined", "who was sent away is not silent before it was to be here"


async def test_new_probe_targets_reach_the_many_in_steps(setting):
    loop, sessions, _ = setting
    names = [f"press-{number}" for number in range(PROBES_AT_ONCE + 30)]
    await loop.ask(ApplyDeclarations(0, tuple(press(name) for name in names)))
    there = [await sessions.attach(Hello(name, "b", 0), loop) for name in names]
    for session in there:
        said(session)
    await sessions.attach(Hello("press-7", "b", 0, "127.0.0.1:7"), loop)
    heard = [[word for word in said(session) if isinstance(word, Probes)] for session in there]
    assert sum(map(len, heard)) == PROBES_AT_ONCE
    sessions.tell_probes()
    sessions.tell_probes()
    later = [[word for word in said(session) if isinstance(word, Probes)] for session in there]
    assert [len(a) + len(b) for a, b in zip(heard, later, strict=True)] == [1] * len(there)
    await sessions.attach(Hello("press-7", "b", 0, "127.0.0.1:7"), loop)
    assert not any(said(session) for session in there), "nothing is new"


async def test_a_site_that_nobody_applied_is_not_found(setting):
    loop, sessions, _ = setting
    with pytest.raises(NotFound):
        await sessions.attach(Hello("nowhere", "b", 0), loop)


async def test_three_missed_beats_make_a_site_unknown(setting):
    loop, sessions, clock = setting
    session = await sessions.attach(Hello("press-7", "b", 0), loop)
    clock.seconds = 2.9
    await sessions.silence(loop)
    assert loop.state.sites["press-7"].state == "joined"
    sessions.heard(session)
    clock.seconds = 5.8
    await sessions.silence(loop)
    assert loop.state.sites["press-7"].state == "joined"
    clock.seconds = 6.0
    await sessions.silence(loop)
    assert loop.state.sites["press-7"].state == "unknown" and session.ended


async def test_telemetry_is_a_sign_of_life_of_who_is_attached(setting):
    loop, sessions, clock = setting
    session = await sessions.attach(Hello("press-7", "b", 0), loop)
    clock.seconds += 2.5
    sessions.heard_of("press-7")
    sessions.heard_of("nowhere")
    clock.seconds += 2.5
    await sessions.silence(loop)
    assert loop.state.sites["press-7"].state == "joined"
    sessions.detach(session)
    sessions.heard_of("press-7")
    clock.seconds += 1
    await sessions.silence(loop)
    assert loop.state.sites["press-7"].state == "unknown"


async def test_a_silence_is_counted_by_a_clock_that_is_never_set(setting):
    loop, sessions, clock = setting
    await sessions.attach(Hello("press-7", "b", 0), loop)
    clock.seconds = 3.5
    await sessions.silence(loop)
    since = loop.state.sites["press-7"].since
    assert sessions.silences(loop.state, since + 500) == {"press-7": 500}, "what an earlier life saw is believed once"
    clock.seconds += 2.0
    years = 10 * 365 * 86_400_000
    assert sessions.silences(loop.state, since + years) == {"press-7": 2_500}
    assert sessions.silences(loop.state, since - years) == {"press-7": 2_500}
    await sessions.attach(Hello("press-7", "b", 0), loop)
    assert sessions.silences(loop.state, since) == {}


async def test_a_log_is_asked_of_the_agent_and_not_of_a_silent_one(setting):
    loop, sessions, _ = setting
    with pytest.raises(Unavailable):
        await sessions.logs("press-7", "w9", 0)
    session = await sessions.attach(Hello("press-7", "b", 0), loop)
    asking = asyncio.create_task(sessions.logs("press-7", "w9", 5))
    await asyncio.sleep(0)
    asked = next(word for word in said(session) if isinstance(word, LogRequest))
    sessions.answered(session, LogLines(asked.request, "text", 9))
    assert (await asking).text == "text"
    asking = asyncio.create_task(sessions.logs("press-7", "w9", 9))
    await asyncio.sleep(0)
    sessions.detach(session)
    with pytest.raises(Unavailable):
        await asking
