"""Garbage: how often the interpreter looks for what only holds itself.

What a broker makes goes when nobody holds it any more: decisions, events and sessions make no rings worth speaking of.
As it comes, the interpreter looks at the young after 700 new containers, which is about once a decision, and now and
then at everything, which takes longer the more a broker knows. So it looks seldom, and never again at what was there
when the broker was put together.
"""

import gc

YOUNG, MIDDLE, OLD = 20_000, 20, 50
"""New containers, and looks at the generation before, until each is looked at."""


def seldom() -> None:
    """Look seldom from now on."""
    gc.set_threshold(YOUNG, MIDDLE, OLD)


def keep() -> None:
    """Never look at what there is now."""
    gc.freeze()
