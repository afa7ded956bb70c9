"""What a scope adds to its node: calls, total, self, extremes, histogram; recursion, exceptions, threads."""

from probe_memory import Memory, python


def test_every_finished_call_is_counted_in_its_own_calling_context() -> None:
    """A node is a name in the context of its callers, and counts its finished calls."""
    code = """
@profile_function("inner")
def inner(): pass
@profile_function("a")
def a(): inner(); inner()
@profile_function("b")
def b(): inner()
for _ in range(5): a()
b()
"""
    with python(code) as program:
        assert program.memory().counts() == {("a",): 5, ("a", "inner"): 10, ("b",): 1, ("b", "inner"): 1}


def test_total_is_self_plus_the_scopes_inside() -> None:
    """A node's total is its self time and the totals of its children, tick by tick."""
    code = """
for _ in range(50):
    with profile_scope("out"):
        with profile_scope("in"): sum(range(100))
        with profile_scope("in2"): sum(range(100))
"""
    with python(code) as program:
        nodes = program.memory().blocks[0].nodes
    inside = nodes["out", "in"].total + nodes["out", "in2"].total
    assert nodes[("out",)].total == nodes[("out",)].own + inside
    assert nodes["out", "in"].own == nodes["out", "in"].total


def check_consistency(memory: Memory) -> None:
    """Asserts what holds for every node that was not recursive."""
    for block in memory.blocks:
        for node in block.nodes.values():
            assert sum(node.histogram) == node.count
            assert node.count * node.least <= node.total <= node.count * node.most
            assert node.total**2 / node.count <= node.sum_squares * (1 + 1e-9)
            assert node.sum_squares <= node.total * node.most * (1 + 1e-9)


def test_extremes_squares_and_histogram_belong_to_the_same_calls() -> None:
    """Minimum, maximum, sum of squares and histogram describe exactly the counted calls."""
    code = """
for n in range(300):
    with profile_scope("varied"): sum(range(n * 10))
"""
    with python(code) as program:
        check_consistency(program.memory())


def test_a_call_that_raises_is_counted_and_closed() -> None:
    """An exception passes through unchanged and its scope is finished like any other."""
    code = """
@profile_function("fails")
def fails(): raise KeyError("x")
for _ in range(3):
    try:
        with profile_scope("block"): fails()
    except KeyError as error: print(error.args == ("x",))
try: fails(1)
except TypeError as error: print(error)
"""
    with python(code) as program:
        memory = program.memory()
        assert program.said == ["True"] * 3 + ["fails() takes 0 positional arguments but 1 was given"]
    assert memory.counts() == {("block",): 3, ("block", "fails"): 3, ("fails",): 1}
    assert memory.blocks[0].position == ((), 0)


def test_direct_recursion_keeps_one_node_and_counts_time_once() -> None:
    """3,000 calls deep is one node: every call counted, the total that of the outermost call only."""
    code = """
sys.setrecursionlimit(10000)
threading.stack_size(256 << 20)
@profile_function("down")
def down(n): return down(n - 1) if n else 0
@profile_function("top")
def top(): down(2999)
t = threading.Thread(target=top); t.start(); t.join()
"""
    with python(code) as program:
        memory = program.memory()
    (block,) = memory.blocks
    down, top = block.nodes["top", "down"], block.nodes[("top",)]
    assert set(block.nodes) == {("top",), ("top", "down")}
    assert down.count == sum(down.histogram) == 3000
    assert down.total == down.own == down.most
    assert top.total == top.own + down.total
    assert memory.header["dropped_scopes"] == 0


def test_mutual_recursion_makes_nodes_to_a_depth_of_256_and_drops_the_rest() -> None:
    """Below 256 nodes scopes are dropped and counted as such, and every exit still finds its scope."""
    code = """
sys.setrecursionlimit(10000)
@profile_function("ping")
def ping(n): return pong(n - 1) if n else 0
def pong(n):
    with profile_scope("pong"): return ping(n - 1) if n else 0
ping(299)
with profile_scope("after"): pass
"""
    with python(code) as program:
        memory = program.memory()
    (block,) = memory.blocks
    assert max(map(len, block.nodes)) == 256
    assert all(node.count == 1 for node in block.nodes.values()) and len(block.nodes) == 257
    assert memory.header["dropped_scopes"] == 300 - 256
    assert block.nodes[("after",)].count == 1


def test_each_thread_has_its_own_block() -> None:
    """Threads never share a block while they live, so nothing is lost without locks."""
    code = """
@profile_function("work")
def work(): pass
together, done = threading.Barrier(4), threading.Barrier(5)
def run():
    together.wait()
    for _ in range(20_000): work()
    os.write(1, b"tid %d\\n" % threading.get_native_id())
    done.wait()
    done.wait()
for _ in range(4): threading.Thread(target=run, daemon=True).start()
done.wait()
"""
    with python(code) as program:
        memory = program.memory()
    assert {f"tid {block.tid}" for block in memory.blocks} == set(program.said)
    assert [block.nodes[("work",)].count for block in memory.blocks] == [20_000] * 4


def test_ten_thousand_short_threads_stay_bounded() -> None:
    """A thread that ends hands its block to the next one: memory stays flat and no count is lost."""
    code = """
import _thread
@profile_function("short")
def short(): pass
def burst(n):
    for _ in range(n):
        t = threading.Thread(target=short); t.start(); t.join()
burst(20)
hold()
burst(10_000)
"""
    with python(code) as program:
        before = program.memory()
        program.go_on()
        after = program.memory()
    assert after.counts() == {("short",): 10_020}
    # A joined Python thread may still be on its way out of the system, so a few blocks can be needed.
    assert len(after.blocks) <= 4
    assert after.header["used_bytes"] - before.header["used_bytes"] < 100_000
    assert sum(block.generation for block in after.blocks) == 10_020


def test_position_is_the_innermost_open_scope() -> None:
    """The position names the innermost open scope and its operation, and is zero outside."""
    code = """
with profile_scope("out"):
    with profile_scope("in"): hold()
    hold()
"""
    with python(code) as program:
        seen = [program.memory().blocks[0].position]
        for _ in range(2):
            program.go_on()
            seen.append(program.memory().blocks[0].position)
    assert seen == [(("out", "in"), 1), (("out",), 1), ((), 0)]


def test_a_scope_left_on_another_thread_or_out_of_order_harms_nothing() -> None:
    """Unbalanced exits are ignored or unwound, counted as dropped, and later scopes are counted as ever."""
    code = """
a, b, c = profile_scope("a"), profile_scope("b"), profile_scope("c")
for _ in range(1000):
    a.__enter__(); b.__enter__(); a.__exit__(None, None, None); b.__exit__(None, None, None)
with c:
    t = threading.Thread(target=lambda: (b.__enter__(), c.__exit__(None, None, None))); t.start(); t.join()
for _ in range(100): a.__exit__(None, None, None)
with c: pass
while os.path.exists(f"/proc/self/task/{t.native_id}"): pass  # join returns before the thread has handed its block back
"""
    with python(code) as program:
        memory = program.memory()
    counts = memory.counts()
    assert (counts[("a",)], counts["a", "b"], counts[("c",)]) == (1000, 0, 2)
    assert memory.header["dropped_scopes"] == 1001
    assert all(block.position == ((), 0) for block in memory.blocks)
