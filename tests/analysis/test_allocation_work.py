"""Which native functions make and free memory."""

from __future__ import annotations

import pytest

from storeprof.analysis.memory.allocation_work import is_allocator


@pytest.mark.parametrize(
    "name",
    [
        "malloc", "_int_malloc", "cfree", "_int_free", "operator new", "operator new[]", "operator delete",
        "malloc_consolidate", "je_malloc", "tc_new", "mi_free", "_PyObject_Malloc", "PyObject_Free", "PyMem_RawMalloc",
        "_PyObject_GC_New", "PyObject_GC_Del", "tupledealloc", "_Py_Dealloc", "PyTuple_New",
        "(anonymous namespace)::py_malloc",
    ],
)  # fmt: skip
def test_allocators_are_known_by_their_whole_name(name: str) -> None:
    """Allocators of C, C++ and CPython, and the hook in front of them, are allocation work."""
    assert is_allocator(name)


@pytest.mark.parametrize(
    "name",
    [
        "std::vector<int, std::allocator<int> >::push_back", "engine::free_list_of", "Pool::malloc_hint", "freeze",
        "_PyEval_Vector", "std::allocator<char>::allocator", "PyLong_FromLong", "__memmove_evex_unaligned_erms",
    ],
)  # fmt: skip
def test_names_that_contain_an_allocator_are_none(name: str) -> None:
    """A template argument or a part of a word is no allocation."""
    assert not is_allocator(name)
