"""Names of C++ functions, from gcc's and clang's spelling to the plain name."""

from __future__ import annotations

import pytest

from storeprof.session.pretty_names import plain_name


@pytest.mark.parametrize(
    ("pretty", "expected"),
    [
        ("int main()", "main"),
        ("static int kv::Store<T>::insert(const char*) const [with T = int]", "kv::Store<T>::insert"),
        (
            "std::vector<int>* kv::Store<T>::insert(const T&, int (*)(char)) const [with T = int]",
            "kv::Store<T>::insert",
        ),
        ("kv::Store<T>::Store() [with T = std::__cxx11::basic_string<char>]", "kv::Store<T>::Store"),
        ("kv::Store<T>::operator bool() const [with T = int]", "kv::Store<T>::operator bool"),
        ("bool kv::Store<T>::operator<(int) const [with T = int]", "kv::Store<T>::operator<"),
        ("bool kv::Store<T>::operator()(int) [with T = int]", "kv::Store<T>::operator()"),
        ("kv::Row& kv::Page::operator[](long unsigned int) &", "kv::Page::operator[]"),
        ("unsigned int {anonymous}::hidden(int)", "{anonymous}::hidden"),
        ("main()::<lambda(int)>", "main()::<lambda(int)>"),
        ("kv::run(T)::<lambda(auto:1)> [with auto:1 = int; T = int]", "kv::run(T)::<lambda(auto:1)>"),
        ("void kv::operator_log(int)", "kv::operator_log"),
    ],
)
def test_gcc_functions_lose_return_type_and_arguments(pretty: str, expected: str) -> None:
    """What gcc writes becomes the qualified name, operators and lambdas included."""
    assert plain_name(pretty) == expected


@pytest.mark.parametrize(
    ("pretty", "expected"),
    [
        (
            "std::vector<int> *kv::Store<int>::insert(const T &, int (*)(char)) const [T = int]",
            "kv::Store<int>::insert",
        ),
        ("kv::Store<int>::operator bool() const [T = int]", "kv::Store<int>::operator bool"),
        ("unsigned int (anonymous namespace)::hidden(int)", "(anonymous namespace)::hidden"),
        (
            "auto main()::(anonymous class)::operator()(int) const",
            "main()::(anonymous class)::operator()",
        ),
    ],
)
def test_clang_functions_lose_return_type_and_arguments(pretty: str, expected: str) -> None:
    """What clang writes becomes the qualified name, in its own spelling of nameless things."""
    assert plain_name(pretty) == expected


@pytest.mark.parametrize(
    "name", ["wal", "wal fsync", "flush (forced)", "a > b", "read & check", "", ")", "f.<locals>.g"]
)
def test_a_scopes_own_name_stays(name: str) -> None:
    """A name that has no argument list is no C++ function and is left alone."""
    assert plain_name(name) == name


def test_a_name_clipped_in_its_template_arguments_is_still_found() -> None:
    """The probe clips names to 4096 bytes, which may cut the list of template arguments anywhere."""
    assert plain_name("void kv::put(T) [with T = std::map<int, std::vec") == "kv::put"
