"""Words that are likely slips: pointed out in a policy, refused where they would slip past a rule."""

import pytest

from broker.core.commands import ApplyDeclarations, SubmitWorkload
from tests.support.builders import cloud, job, press
from tests.support.playbook import Playbook
from tidegate.model.errors import Refused
from tidegate.model.event import PolicyApplied
from tidegate.model.policy import Expression, Operator, Policy, Rule
from tidegate.model.workload import Data


def fleet() -> Playbook:
    play = Playbook()
    play.ask(ApplyDeclarations(1, (press(), cloud())))
    return play


def test_a_law_about_a_class_that_is_likely_a_slip_is_applied_and_pointed_out():
    about = Expression("data.classes", Operator.CONTAINS_ANY, ("Phi", "blueprints"))
    rule = Rule("r", when=(about,), require=(Expression("site.operator", Operator.IN, ("self",)),))
    play = fleet() >> ApplyDeclarations(4, (Policy("care", 1, rules=(rule,)),)) << PolicyApplied
    (warning,) = play.reply.warnings
    assert warning == 'policy care: rules[0].when: class "Phi" is no known one; did you mean phi?'


@pytest.mark.parametrize(
    ("data", "field", "wanted"),
    [
        (Data(("PHI",), ("US",)), "data.classes[0]", "phi"),
        (Data(("pii",), ("UK",)), "data.subjects[0]", "GB"),
    ],
)
def test_data_that_is_likely_misspelt_is_refused_before_it_can_slip_past_a_rule(data, field, wanted):
    play = fleet() >> SubmitWorkload(5, job(data=data))
    refused = play._refused
    assert play << Refused
    assert refused.field == field and refused.wanted.startswith(wanted)


def test_what_a_model_was_made_from_is_held_to_the_same_words():
    play = fleet() >> SubmitWorkload(5, job(carries=(Data(("public",)), Data(("P.H.I",)), Data(("PHI",)))))
    refused = play._refused
    assert play << Refused
    assert refused.field == "carries[2].classes[0]"


def test_a_site_in_a_country_that_is_none_is_refused():
    assert Playbook() >> ApplyDeclarations(1, (press(jurisdiction="UK"),)) << Refused
