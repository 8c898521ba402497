"""Groups of jurisdictions that a policy may name instead of listing countries. A table of facts, no code of rules.

Members are ISO 3166-1 alpha-2 codes. Sources:
- EU: the member states, Article 52 of the Treaty on European Union; 27 since 1 February 2020.
- EEA: the EU with Iceland, Liechtenstein and Norway (Agreement on the European Economic Area; GDPR by Joint Committee
  Decision No 154/2018).
- EU-ADEQUATE: third countries whose *whole* private sector the Commission found adequate under Article 45 GDPR. Canada
  and the United States are left out: their decisions cover only some recipients, which a country code cannot tell.
"""

EU = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()  # noqa: SIM905
)
EEA = EU | {"IS", "LI", "NO"}
EU_ADEQUATE = frozenset({"AD", "AR", "CH", "FO", "GB", "GG", "IL", "IM", "JE", "JP", "KR", "NZ", "UY"})

GROUPS: dict[str, frozenset[str]] = {"EU": EU, "EEA": EEA, "EU-ADEQUATE": EU_ADEQUATE}


def expand(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names and, after each that is a group, its members in order of the alphabet; each name once."""
    found: dict[str, None] = {}
    for name in names:
        found.update(dict.fromkeys((name, *sorted(GROUPS.get(name, ())))))
    return tuple(found)
