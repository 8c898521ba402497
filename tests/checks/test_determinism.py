"""What runs in the simulation asks nobody but its ports: no clock, no chance, no thread, no socket, no set's order.

A history is worth something because the same seed gives it again. This reads the source of everything that runs there;
`tests/simulation/guards.py` holds the same at run time. Who may ask the machine itself is named below, with the reason.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIMULATED = ("broker", "agents", "edge", "placement", "tidegate/model", "tidegate/wire")
RIMS = {
    "agents/clock.py": "the agent's clock and its chance",
    "broker/runtime/clock.py": "the broker's clock",
    "agents/drivers": "real engines are real processes; a history has one of its own",
    "agents/gpu": "real devices",
    "agents/main.py": "the process itself",
    "broker/main.py": "the process itself",
    "broker/log/worker.py": "the thread behind the real log; a history's is the loop",
    "broker/log/embedded.py": "the real log",
    "broker/solver/process.py": "starts a process",
    "broker/solver/worker.py": "is a process",
    "broker/workers": "workers are processes of their own",
    "broker/trial": "a trial of law is a process of its own",
    "broker/telemetry": "SQLite behind threads of its own; a history hands it the loop's in their place",
    "broker/log/ownership.py": "one process to a directory",
    "agents/spool/commit.py": "many callers' commits on a thread; serving alone has them",
    "edge/serving": "answers predictions, which no history asks for",
    "placement/pool": "numba compiles; nothing is timed or drawn",
}
BANNED = frozenset(
    {"time", "random", "uuid", "secrets", "threading", "socket", "subprocess", "multiprocessing", "concurrent.futures"}
)
CALLS = frozenset({"os.urandom", "os.getpid", "os.times", "asyncio.get_event_loop", "datetime.now", "date.today"})


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Every file that runs in a history, read."""
    for package in SIMULATED:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if not any(name == rim or name.startswith(f"{rim}/") for rim in RIMS):
                yield name, ast.parse(path.read_text())


def test_nothing_asks_the_machine_itself() -> None:
    assert sorted(asked for name, tree in sources() for asked in _asks(name, tree)) == []


def test_nothing_goes_by_the_order_of_a_set() -> None:
    assert sorted(found for name, tree in sources() for found in _unordered(name, tree)) == []


def test_every_rim_is_still_there() -> None:
    assert [rim for rim in RIMS if not (ROOT / rim).exists()] == []


def test_both_would_be_seen() -> None:
    asking = "import time\nfrom random import choice\nimport os\nx = os.urandom(4)\n"
    assert len(list(_asks("x", ast.parse(asking)))) == 3
    going = (
        "for x in {1, 2}: pass\ny = [z for z in set(a)]\nfor k in a.keys() - b.keys(): pass\nt = tuple(frozenset(a))\n"
    )
    assert len(list(_unordered("x", ast.parse(going)))) == 4
    assert not list(
        _unordered("x", ast.parse("for x in sorted({1, 2}): pass\nn = max(z for z in a)\nfor x in d: pass"))
    )


def _asks(name: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (f"{name}:{node.lineno} imports {each.name}" for each in node.names if each.name in BANNED)
        elif isinstance(node, ast.ImportFrom) and node.module in BANNED:
            yield f"{name}:{node.lineno} imports from {node.module}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in CALLS:
            yield f"{name}:{node.lineno} calls {ast.unparse(node.func)}"


def _unordered(name: str, tree: ast.Module) -> Iterator[str]:
    """Loops, lists and tuples straight over what is plainly a set; what is sorted, counted or a set again is fine."""
    harmless = {id(each) for node in ast.walk(tree) for each in _harmless(node)}
    for node in ast.walk(tree):
        over: list[ast.expr] = []
        if isinstance(node, ast.For):
            over = [node.iter]
        elif isinstance(node, ast.ListComp | ast.GeneratorExp | ast.DictComp) and id(node) not in harmless:
            over = [each.iter for each in node.generators]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("list", "tuple", "iter", "next"):
            over = node.args[:1]
        yield from (f"{name}:{each.lineno} goes over {ast.unparse(each)[:60]}" for each in over if _is_set(each))


def _harmless(node: ast.AST) -> list[ast.expr]:
    """Arguments of what does not care for order."""
    indifferent = ("sorted", "set", "frozenset", "sum", "min", "max", "any", "all", "len")
    if isinstance(node, ast.Call) and ast.unparse(node.func) in indifferent:
        return node.args
    return []


def _is_set(node: ast.expr) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in ("set", "frozenset")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub | ast.BitAnd | ast.BitOr | ast.BitXor):
        return any(_is_set(side) or _is_keys(side) for side in (node.left, node.right))
    return False


def _is_keys(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("keys", "items")
