"""W3C trace context: continued where it is well formed, begun anew where it is not."""

import pytest

from edge.serving.trace import SpanContext, begin, parse

GOOD = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE, SPAN = bytes.fromhex(GOOD[3:35]), bytes.fromhex(GOOD[36:52])


def counting(count: int) -> bytes:
    return bytes(range(1, count + 1))


@pytest.mark.parametrize("header", [GOOD, GOOD.replace("-01", "-00"), "cc" + GOOD[2:] + "-what-comes-later"])
def test_a_good_header_is_continued(header: str) -> None:
    parent = parse(header)
    assert parent == SpanContext(TRACE, SPAN)
    assert begin(parent, counting) == SpanContext(TRACE, counting(8))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        GOOD.upper(),
        GOOD + "-more",
        "ff" + GOOD[2:],
        GOOD.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
        GOOD.replace("b7ad6b7169203331", "0" * 16),
        GOOD[:-1],
        GOOD + "\n",
    ],
)
def test_anything_else_counts_as_missing(header: str | None) -> None:
    assert parse(header) is None
    assert begin(None, counting) == SpanContext(counting(16), counting(8))
