"""Price books, as conversations: what a version means, from when it holds, and what may be declared again."""

from dataclasses import replace

from broker.core.commands import ApplyDeclarations, SiteAttached, SubmitWorkload
from broker.core.freeze import freeze, thaw
from tests.support.builders import book, cloud, job
from tests.support.playbook import NOTHING, Playbook
from tidegate.model.errors import Conflict, Refused
from tidegate.model.event import PriceBookApplied, WorkloadDecided, WorkloadSubmitted
from tidegate.model.money import Price
from tidegate.model.session import Hello


def fleet() -> Playbook:
    """One joined cloud and its prices."""
    play = Playbook()
    play.ask(ApplyDeclarations(1, (cloud(), book())))
    play.ask(SiteAttached(2, Hello("burst-us", "boot-1", 0, "127.0.0.1:9")))
    return play


def test_a_price_book_version_means_one_thing_and_holds_from_its_moment_on():
    dearer = book(version=2, effective_from=50, prices=(Price("m5", 300_000, "us-east-1"),))
    play = (
        fleet()
        >> ApplyDeclarations(4, (book(idle_owned_ppm=1),))
        << Conflict
        >> ApplyDeclarations(5, (book(currency="EUR", version=2),))
        << Refused
        >> ApplyDeclarations(6, (dearer,))
        << PriceBookApplied
        >> ApplyDeclarations(7, (dearer,))
        << NOTHING
        >> SubmitWorkload(49, job())
        << WorkloadSubmitted
        << WorkloadDecided
    )
    assert (play.reply.decision.price_book, play.reply.decision.cost.compute) == ("list@1", 200_000)
    play = play >> SubmitWorkload(50, job("later")) << WorkloadSubmitted << WorkloadDecided
    assert (play.reply.decision.price_book, play.reply.decision.cost.compute) == ("list@2", 300_000)
    play = play >> ApplyDeclarations(51, (replace(dearer, version=3),)) << PriceBookApplied
    assert [one.ref for one in play.state.books["list"]] == ["list@1", "list@3"], "a clock may be set back"
    both = (book(), replace(dearer, version=4, effective_from=99))
    play = play >> ApplyDeclarations(52, both) << PriceBookApplied
    assert [one.outcome for one in play.reply.declared] == ["superseded", "changed"]
    assert thaw(freeze(play.state)).law == play.state.law
    assert play >> ApplyDeclarations(53, (*both, both[0])) << Refused
    assert play >> ApplyDeclarations(54, (replace(dearer, version=3), both[1])) << NOTHING
    assert play >> ApplyDeclarations(55, (replace(dearer, version=3, effective_from=60),)) << Conflict
