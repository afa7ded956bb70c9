"""The Python face: wrapped functions stay what they were, mistakes get a clear line, imports stay light."""

import contextlib
import copy
import functools
import gc
import inspect
import json
import pickle
import subprocess
import sys
import tomllib
import weakref

import pytest
from probe_memory import ROOT, python

import storeprof
from storeprof.probe import _recorder


@storeprof.profile_function
def documented(a: int, /, b: str = "x", *rest: float, key: bool = False, **more: object) -> str:
    """Says what it got."""
    return f"{a} {b} {rest} {key} {more}"


documented.attribute = "kept"


def test_a_wrapped_function_keeps_its_identity() -> None:
    """Name, module, docstring, annotations, signature and attributes are the function's own."""
    plain = documented.__wrapped__
    for name in (
        "__name__",
        "__qualname__",
        "__module__",
        "__doc__",
        "__annotations__",
        "__code__",
        "__defaults__",
    ):
        assert getattr(documented, name) == getattr(plain, name)
    assert inspect.signature(documented) == inspect.signature(plain)
    assert documented.attribute == "kept" and documented.__dict__["attribute"] == "kept"
    assert "documented" in repr(documented)
    assert documented(1, "y", 2.0, key=True, z=3) == plain(1, "y", 2.0, key=True, z=3)


def test_attributes_written_are_the_functions_own() -> None:
    """A wrapper has no attributes of its own: what is set on it is set on the function, and goes with it."""

    @storeprof.profile_function
    def function() -> None:
        pass

    function.__doc__, function.mark = "Changed.", 1
    assert (function.__doc__, function.mark) == ("Changed.", 1) == (function.__wrapped__.__doc__, 1)
    del function.mark
    assert not hasattr(function, "mark") and not hasattr(function.__wrapped__, "mark")


def test_a_wrapped_function_is_pickled_and_copied_by_name() -> None:
    """Module-level functions pickle by qualified name, so worker processes can be sent them."""
    assert pickle.loads(pickle.dumps(documented)) is documented
    assert copy.deepcopy(documented) is documented


def test_a_wrapped_function_is_collected() -> None:
    """Wrappers can be referenced weakly and are freed, alone and in cycles."""

    def make() -> weakref.ref:
        function = storeprof.profile_function(lambda: function)
        function.me = function
        return weakref.ref(function)

    kept = make()
    gc.collect()
    assert kept() is None


class Engine:
    """Every kind of method."""

    @storeprof.profile_function
    def method(self, x: int) -> tuple[object, int]:
        """A method."""
        return self, x

    @storeprof.profile_function
    @classmethod
    def class_outside(cls) -> type:
        """The decorator above classmethod."""
        return cls

    @classmethod
    @storeprof.profile_function("named")
    def class_inside(cls) -> type:
        """The decorator below classmethod."""
        return cls

    @storeprof.profile_function
    @staticmethod
    def static_outside(x: int) -> int:
        """The decorator above staticmethod."""
        return x

    @staticmethod
    @storeprof.profile_operation
    def static_inside(x: int) -> int:
        """The decorator below staticmethod."""
        return x

    @property
    @storeprof.profile_operation("read")
    def value(self) -> int:
        """The decorator below property."""
        return 7

    @storeprof.profile_function
    @functools.lru_cache  # noqa: B019
    def cached(self, x: int) -> int:
        """A method that another decorator made."""
        return x

    length = storeprof.profile_function(len)
    made = storeprof.profile_function(dict)


def test_methods_bind_as_they_did() -> None:
    """Methods, class methods and static methods in either order, properties, and what doesn't bind."""
    engine = Engine()
    assert engine.method(1) == Engine.method(engine, 1) == (engine, 1)
    assert engine.method.__self__ is engine and engine.method.__doc__ == "A method."
    assert Engine.class_outside() is engine.class_inside() is Engine
    assert (Engine.static_outside(1), engine.static_outside(2), engine.static_inside(3)) == (1, 2, 3)
    assert engine.value == 7
    assert engine.cached(5) == engine.cached(5) == 5 and Engine.cached.cache_info().hits == 1
    assert engine.length("abc") == 3 and engine.made(a=1) == {"a": 1}


def test_generators_and_coroutines_still_work() -> None:
    """Only the creating call is timed; what it returns is untouched."""

    @storeprof.profile_function
    def numbers():
        yield from (1, 2)

    assert list(numbers()) == [1, 2]


def test_one_scope_object_serves_everywhere() -> None:
    """A name has one object; it is re-entrant, fits an ExitStack, and lets exceptions through."""
    scope = storeprof.profile_scope("same")
    assert storeprof.profile_scope("".join(["sa", "me"])) is scope
    assert storeprof.profile_operation("same") is not scope
    with scope as inner, scope, contextlib.ExitStack() as stack, pytest.raises(ZeroDivisionError), scope:
        assert inner is scope and stack.enter_context(scope) is scope
        1 / 0  # noqa: B018


def test_a_scope_decorates_too() -> None:
    """A named scope or operation times functions as profile_function(name) does, with their file and line."""
    code = """
@profile_scope("scope")
def f(): return 5
@profile_operation("operation")
def g(): return f()
print(g(), f.__name__)
"""
    with python(code) as program:
        assert program.said == ["5 f"]
        memory = program.memory()
    assert memory.counts() == {("operation",): 1, ("operation", "scope"): 1}
    assert {("scope", "<string>", 10), ("operation", "<string>", 12)} <= set(memory.names.values())


MISTAKES = [
    (lambda: storeprof.profile_function(3), TypeError, "profile_function needs a function or a name"),
    (lambda: storeprof.profile_function(""), ValueError, "profile_function needs a name that is not empty"),
    (lambda: storeprof.profile_function("n")(3), TypeError, "needs a function or a name"),
    (lambda: storeprof.profile_function(property(len)), TypeError, "put it below @property"),
    (lambda: storeprof.profile_operation(None), TypeError, "profile_operation needs a function or a name"),
    (lambda: storeprof.profile_operation(""), ValueError, "profile_operation needs a name that is not empty"),
    (lambda: storeprof.profile_operation("n")(len, 1), TypeError, "decorates one function"),
    (lambda: storeprof.profile_scope(b"x"), TypeError, r"profile_scope needs a name \(str\), not bytes"),
    (lambda: storeprof.profile_scope(""), ValueError, "profile_scope needs a name that is not empty"),
    (lambda: storeprof.profile_memory_alloc("T", -1), ValueError, "bytes must not be negative, got -1"),
    (lambda: storeprof.profile_memory_alloc("T", 1.5), TypeError, "needs bytes as an int, not float"),
    (lambda: storeprof.profile_memory_alloc("T", 1 << 70), OverflowError, "int"),
    (lambda: storeprof.profile_memory_dealloc(5, 1), TypeError, "profile_memory_dealloc needs a name"),
    (
        lambda: storeprof.profile_memory_dealloc("T"),
        TypeError,
        "needs the type's name and the number of bytes",
    ),
    (lambda: _recorder.gate(1), TypeError, "gate needs True, False or None"),
    (lambda: type(storeprof.profile_scope("x")).__enter__(3), TypeError, "need the scope as first argument"),
    (type(storeprof.profile_scope("x")), TypeError, "cannot create"),
]


@pytest.mark.parametrize(("mistake", "kind", "message"), MISTAKES)
def test_mistakes_get_a_clear_line(mistake, kind, message) -> None:
    """A wrong argument raises an error that says what is wrong, whether anybody records or not."""
    with pytest.raises(kind, match=message):
        mistake()


def test_all_is_what_can_be_imported() -> None:
    """`__all__` equals the public names of storeprof and of its probe, and the version is the package's."""
    code = "import storeprof as s, json; print(json.dumps([list(vars(m)) for m in (s, s.probe)]))"
    run = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, env=environment())
    top, probe = json.loads(run.stdout)
    modules = {"os", "sys", "probe", "TYPE_CHECKING"}
    assert {name for name in top if not name.startswith("_")} - modules <= set(storeprof.__all__)
    assert all(hasattr(storeprof, name) for name in storeprof.__all__)
    assert {name for name in probe if not name.startswith("_")} - modules == set(storeprof.probe.__all__)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert storeprof.__version__ == project["version"]


def environment() -> dict[str, str]:
    """Nothing but what an import of storeprof needs."""
    return {"PYTHONPATH": str(ROOT / "src")}


def test_the_import_pulls_in_the_standard_library_alone() -> None:
    """`import storeprof` loads the probe, and neither other packages of storeprof nor of anyone else."""
    code = "import sys; old = set(sys.modules); import storeprof; print(*sorted(set(sys.modules) - old))"
    command = [sys.executable, "-S", "-c", code]
    run = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, env=environment())
    loaded = set(run.stdout.split())
    own = {name for name in loaded if name.split(".")[0] == "storeprof"}
    assert own == {"storeprof", "storeprof.probe", "storeprof.probe._locks", "storeprof.probe._recorder"}
    assert {name.split(".")[0] for name in loaded - own} <= sys.stdlib_module_names


def test_wrapped_builtins_and_callables_are_counted_by_name() -> None:
    """Callables that aren't Python functions are timed as well, under their own names."""
    code = """
import functools
class Engine:
    @profile_function("cached")
    @functools.lru_cache
    def cached(self): return 1
    @profile_function
    def put(self, key): return key
e = Engine()
e.cached(); e.cached(); Engine.cached(e); e.put(1); e.put(key=2)
f = profile_function(len); f(""); profile_function(functools.partial(f, ""))()
"""
    with python(code) as program:
        counts = program.memory().counts()
    assert counts[("cached",)] == 3 and counts[("__main__.Engine.put",)] == 2 and counts[("builtins.len",)] == 1
    assert counts["functools.partial", "builtins.len"] == 1
