"""What a start may cost: the daemon loads what it needs to answer, and nothing else."""

import subprocess
import sys

HEAVY = ("ortools", "highspy", "scipy", "ray", "httpx", "pandas")


def test_the_daemon_loads_no_solver_and_no_http_client():
    told = f"import sys, broker.main; print([name for name in {HEAVY!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.strip() == "[]"
