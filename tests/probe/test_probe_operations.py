"""Operations and drivers, and the ring of finished operations."""

from probe_memory import python

# The rule is about real time, so this one really waits.
OVER_A_SECOND = """
import time
def over_a_second():
    end = time.monotonic() + 1.02
    while time.monotonic() < end: pass
"""


def test_an_outermost_scope_is_an_operation() -> None:
    """Outermost scopes are numbered from 1 and leave an entry in the ring; inner ones don't."""
    code = """
for i in range(3):
    with profile_scope("put"):
        with profile_scope("wal"): pass
with profile_scope("get"): pass
"""
    with python(code) as program:
        (block,) = program.memory().blocks
    assert [(o.op_seq, o.path) for o in block.ring] == [
        (1, ("put",)),
        (2, ("put",)),
        (3, ("put",)),
        (4, ("get",)),
    ]
    assert sum(o.duration for o in block.ring[:3]) == block.nodes[("put",)].total
    assert [o.start for o in block.ring] == sorted(o.start for o in block.ring)


def test_the_ring_keeps_the_last_1024_operations() -> None:
    """ops_finished counts on while the ring holds the newest 1024."""
    with python("for _ in range(3000):\n    with profile_scope('op'): pass") as program:
        (block,) = program.memory().blocks
    assert block.ops_finished == 3000
    assert [o.op_seq for o in block.ring] == list(range(3000 - 1023, 3001))


def test_a_scope_open_for_a_second_becomes_a_driver() -> None:
    """A scope entered inside an outermost one older than a second is the operation, from then on."""
    code = (
        OVER_A_SECOND
        + """
with profile_scope("main"):
    with profile_scope("early"): pass
    over_a_second()
    with profile_scope("work"):
        with profile_scope("part"): pass
    hold()
with profile_scope("main"):
    with profile_scope("work"): pass
"""
    )
    with python(code) as program:
        held = program.memory().blocks[0]
        program.go_on()
        block = program.memory().blocks[0]
    assert held.position == (("main",), 0)
    flags = {path: node.flags for path, node in block.nodes.items()}
    assert flags == {("main",): 1, ("main", "early"): 0, ("main", "work"): 0, ("main", "work", "part"): 0}
    assert [(o.op_seq, o.path) for o in block.ring] == [(2, ("main", "work")), (3, ("main", "work"))]


def test_an_operation_said_outright_makes_drivers_of_what_encloses_it() -> None:
    """profile_operation is an operation wherever it stands; the scopes around it are drivers from then on."""
    code = """
@profile_operation
def commit(): pass
@profile_operation("put")
def put():
    with profile_scope("wal"): pass
def loop():
    with profile_scope("server"), profile_scope("loop"):
        put()
        with profile_operation("get"): pass
        with profile_scope("idle"): pass
loop(); loop(); commit()
"""
    with python(code) as program:
        (block,) = program.memory().blocks
    flags = {path[-1]: node.flags for path, node in block.nodes.items()}
    assert flags == {"server": 1, "loop": 1, "put": 2, "wal": 0, "get": 2, "idle": 0, "__main__.commit": 2}
    assert [o.path[-1] for o in block.ring] == ["put", "get", "idle"] * 2 + ["__main__.commit"]


def test_an_operation_inside_one_said_outright_leaves_it_an_operation() -> None:
    """Of two operations said outright, the inner gets its own number and the outer goes on afterwards."""
    code = """
with profile_operation("outer"):
    with profile_scope("middle"):
        with profile_operation("inner"): hold()
        hold()
"""
    with python(code) as program:
        inner = program.memory().blocks[0].position
        program.go_on()
        middle = program.memory().blocks[0].position
        program.go_on()
        (block,) = program.memory().blocks
    assert inner == (("outer", "middle", "inner"), 2) and middle == (("outer", "middle"), 1)
    assert [(o.op_seq, o.path[-1]) for o in block.ring] == [(2, "inner"), (1, "outer")]
    assert {node.flags & 1 for node in block.nodes.values()} == {0}


def test_an_operation_that_calls_itself_is_one_operation() -> None:
    """Direct recursion of an operation stays inside the operation it began."""
    code = """
@profile_operation("walk")
def walk(n): return walk(n - 1) if n else 0
walk(9)
"""
    with python(code) as program:
        (block,) = program.memory().blocks
    assert (block.ops_finished, block.nodes[("walk",)].count) == (1, 10)
