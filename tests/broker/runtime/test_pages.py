"""Memory is at hand once it was touched: what is asked for afterwards comes without a fault."""

import subprocess
import sys

SCRIPT = """
import resource
from broker.runtime import pages

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def asked():
    before = faults()
    kept = [b"x" * size for size in [1_000] * 8_000]
    return faults() - before, kept

first, kept = asked()
pages.at_hand()
pages.at_hand()
second, more = asked()
print(first, second)
"""


def test_what_is_asked_for_comes_without_faults() -> None:
    told = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout.split()
    first, second = map(int, told)
    assert first > 1_000  # a page for every four of them
    assert second < first / 4
