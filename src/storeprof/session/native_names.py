"""Names of native functions, and whether they are the program's own."""

from __future__ import annotations

import re

from storeprof.collect.linux.native_samples import UNKNOWN

_SYSTEM_LIBRARY = re.compile(r"^/(usr/)?lib(32|64|x32)?/|/lib(python|stdc\+\+|gcc_s)[^/]*\.so")
_LANGUAGE_LIBRARY = re.compile(r"^(std::|__gnu_cxx::|operator (new|delete)|_?_?cxa_|void std::|bool std::)")
_RUNS_A_CALLABLE = re.compile(r"std::(thread::_State_impl<.*>::_M_run|_Function_handler<.*>::_M_invoke)\b")


def own_callable(symbol: str) -> str | None:
    """The lambda of the program that was inlined into library code which only calls it; None for all else.

    `std::thread::_State_impl<…std::tuple<kv::Pool::Pool(int)::{lambda()#1}>…>::_M_run()` ->
    `kv::Pool::Pool(int)::{lambda()#1}`: the thread's loop has no other frame then.
    """
    if not _RUNS_A_CALLABLE.match(symbol) or "{lambda" not in symbol:
        return None
    end = symbol.index("}", symbol.index("{lambda")) + 1
    depth = 0
    for at in range(end - 1, -1, -1):
        letter = symbol[at]
        depth += (letter in ")}>]") - (letter in "({<[")
        if depth < 0 or (depth == 0 and letter in ", "):
            return symbol[at + 1 : end]
    return None


def short_name(symbol: str) -> str:
    """A C++ symbol without its argument list: `kv::Store::insert(…)` -> `kv::Store::insert`.

    Template arguments and `(anonymous namespace)`, `operator()` and lambdas stay.
    """
    depth = 0
    for at, letter in enumerate(symbol):
        if letter in "<{[":
            depth += 1
        elif letter in ">}]" and depth:
            depth -= 1
        elif (
            letter == "("
            and depth == 0
            and not (symbol.startswith("(anonymous", at) or symbol[:at].endswith("operator"))
        ):
            return symbol[:at] or symbol
    return symbol


def is_native_library(symbol: str, binary: str) -> bool:
    """Whether native code is not the program's own: system libraries, the language's, code without a name."""
    if symbol == UNKNOWN or binary.startswith("["):
        return True
    return bool(_SYSTEM_LIBRARY.search(binary) or (_LANGUAGE_LIBRARY.match(symbol) and not own_callable(symbol)))
