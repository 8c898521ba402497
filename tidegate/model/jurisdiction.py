"""Jurisdictions: countries, their regions, and groups of countries that a policy may name. Facts alone, no rules.

A jurisdiction is written as an ISO 3166-1 alpha-2 code (`DE`), an ISO 3166-2 code (`US-CA`), or the name of a group
(`EEA`). What is none of these is refused where it is declared: a mistyped country would satisfy or escape a rule in
silence. Of Canada, Germany and the United States every region is known here; of other countries the form alone is held
to, since a list of all 5,000 would be out of date before it was read.

Groups:
- EU: the member states, Article 52 of the Treaty on European Union; 27 since 1 February 2020.
- EEA: the EU with Iceland, Liechtenstein and Norway (Agreement on the European Economic Area; GDPR by Joint Committee
  Decision No 154/2018).
- EU-ADEQUATE: third countries whose *whole* private sector the Commission found adequate under Article 45 GDPR. Canada
  and the United States are left out: their decisions cover only some recipients, which a country code cannot tell.
  Brazil is the newest (Implementing Decision (EU) 2026/179 of 26 January 2026).
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches

COUNTRIES = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC
    CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD
    GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH
    KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW
    MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC
    SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY
    UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
    """.split()  # noqa: SIM905
)
"""ISO 3166-1 alpha-2: 249 codes."""

EU = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()  # noqa: SIM905
)
EEA = EU | {"IS", "LI", "NO"}
EU_ADEQUATE = frozenset({"AD", "AR", "BR", "CH", "FO", "GB", "GG", "IL", "IM", "JE", "JP", "KR", "NZ", "UY"})

GROUPS: dict[str, frozenset[str]] = {"EU": EU, "EEA": EEA, "EU-ADEQUATE": EU_ADEQUATE}

REGIONS: dict[str, frozenset[str]] = {
    "CA": frozenset("AB BC MB NB NL NS NT NU ON PE QC SK YT".split()),  # noqa: SIM905
    "DE": frozenset("BB BE BW BY HB HE HH MV NI NW RP SH SL SN ST TH".split()),  # noqa: SIM905
    "US": frozenset(
        """
        AK AL AR AS AZ CA CO CT DC DE FL GA GU HI IA ID IL IN KS KY LA MA MD ME MI MN MO MP MS MT NC ND NE NH NJ NM NV
        NY OH OK OR PA PR RI SC SD TN TX UM UT VA VI VT WA WI WV WY
        """.split()  # noqa: SIM905
    ),
}
"""ISO 3166-2, without the country's prefix."""

_REGION = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")


def expand(names: Iterable[str]) -> tuple[str, ...]:
    """The names, each group replaced by its members in order of the alphabet; each name once."""
    found: dict[str, None] = {}
    for name in names:
        found.update(dict.fromkeys(sorted(GROUPS[name]) if name in GROUPS else (name,)))
    return tuple(found)


def country_of(name: str) -> str:
    """The country of a region; any other name is itself."""
    return name[:2] if is_region(name) else name


def is_region(name: str) -> bool:
    """Whether it is an ISO 3166-2 code of a country that exists."""
    country, _, rest = name.partition("-")
    if name in GROUPS or country not in COUNTRIES or _REGION.fullmatch(name) is None:
        return False
    return country not in REGIONS or rest in REGIONS[country]


def is_known(name: str) -> bool:
    """Whether it is a country, a region of one, or a group."""
    return name in COUNTRIES or name in GROUPS or is_region(name)


def nearest(name: str, known: Iterable[str] = (*sorted(GROUPS), *sorted(COUNTRIES))) -> str:
    """The known name that looks most like it; empty where none does."""
    upper = name.upper()
    candidates = sorted(known)
    if upper[:2] in REGIONS and "-" in upper:
        candidates += [f"{upper[:2]}-{region}" for region in sorted(REGIONS[upper[:2]])]
    if upper in _ALIASES:
        return _ALIASES[upper]
    close = get_close_matches(upper, candidates, n=1, cutoff=0.6)
    return close[0] if close else ""


_ALIASES = {"UK": "GB", "EL": "GR", "USA": "US", "GER": "DE", "DEU": "DE", "GBR": "GB", "FRA": "FR", "EUROPE": "EU"}
"""What people write instead."""
