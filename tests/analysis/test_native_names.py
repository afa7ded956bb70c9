"""Names of native functions and what counts as a library."""

from __future__ import annotations

import pytest

from storeprof.observe.modules import is_library, module_name
from storeprof.session.native_names import is_native_library, own_callable, short_name


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("kv::Store::insert(std::vector<int>&, kv::Bloom&)", "kv::Store::insert"),
        ("main", "main"),
        ("kv::(anonymous namespace)::now()", "kv::(anonymous namespace)::now"),
        ("kv::Compare::operator()(int, int) const", "kv::Compare::operator()"),
        ("std::map<int, void (*)(int)>::find(int const&)", "std::map<int, void (*)(int)>::find"),
        ("main::{lambda(int)#1}::operator()(int) const", "main::{lambda(int)#1}::operator()"),
    ],
)
def test_argument_lists_are_left_out(symbol: str, expected: str) -> None:
    """A C++ function is named without its arguments."""
    assert short_name(symbol) == expected


def test_system_and_language_code_is_a_library() -> None:
    """libc, the C++ standard library and nameless code belong to whoever called them."""
    assert is_native_library("memcpy", "/usr/lib/x86_64-linux-gnu/libc.so.6")
    assert is_native_library("std::string::append(char const*)", "/app/engine")
    assert is_native_library("[unknown]", "/app/engine")
    assert not is_native_library("kv::Store::insert()", "/app/engine")


def test_the_standard_library_is_pythons_and_installed_packages_are_the_programs() -> None:
    """The engine under study may well be an installed package."""
    assert is_library("/usr/lib/python3.11/json/encoder.py")
    assert is_library("<frozen importlib._bootstrap>")
    assert not is_library("/venv/lib/python3.11/site-packages/engine/core.py")
    assert not is_library("/app/engine.py")


def test_modules_are_named_by_the_packages_around_them() -> None:
    """The dotted name is that which an import statement would use."""
    import storeprof.analysis.accounting.charges as module

    assert module_name(module.__file__) == "storeprof.analysis.accounting.charges"
    assert module_name("<frozen importlib._bootstrap>") == "importlib._bootstrap"


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        (
            "std::thread::_State_impl<std::thread::_Invoker<std::tuple<kv::Pool::Pool()::{lambda()#1}> > >::_M_run()",
            "kv::Pool::Pool()::{lambda()#1}",
        ),
        (
            "std::_Function_handler<void (), main::{lambda(int)#2}>::_M_invoke(std::_Any_data const&)",
            "main::{lambda(int)#2}",
        ),
        ("std::thread::_State_impl<std::thread::_Invoker<std::tuple<void (*)()> > >::_M_run()", None),
        ("std::sort<int*, main::{lambda(int, int)#1}>(int*, int*, main::{lambda(int, int)#1})", None),
    ],
)
def test_a_lambda_inlined_into_its_thread_is_the_programs(symbol: str, expected: str | None) -> None:
    """Library code that only calls the program's lambda is named after the lambda, and is not a library."""
    assert own_callable(symbol) == expected
    assert is_native_library(symbol, "/app/engine") == (expected is None)
