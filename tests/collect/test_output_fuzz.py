"""Parsers of tools' outputs face damaged ones: an error with its line, or what is right as far as it goes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tool_outputs import SAMPLES, Sample, lines

from storeprof.collect.tool_output import UnreadableLine

FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NAMES = [one.file for one in SAMPLES]
OF_NAME = {one.file: one for one in SAMPLES}


def check_line(error: UnreadableLine, text: str) -> None:
    """The line an error names is one of the text's, or the one after."""
    assert 0 <= error.line <= text.count("\n") + 2, error


@pytest.mark.parametrize("name", NAMES)
@FEW
@given(where=st.floats(0, 1, exclude_max=True))
def test_what_is_cut_short_is_right_as_far_as_it_goes(name: str, where: float) -> None:
    """No figure of a truncated output is higher than that of the whole one, and none is new."""
    one: Sample = OF_NAME[name]
    text = one.text
    whole = one.figures(one.parse(lines(text)))
    cut = text[: int(len(text) * where)]
    try:
        found = one.figures(one.parse(lines(cut)))
    except UnreadableLine as error:
        check_line(error, cut)
        return
    wrong = {key: (value, whole[key]) for key, value in found.items() if value > whole[key] * (1 + 1e-9)}
    assert wrong == {}


@pytest.mark.parametrize("name", NAMES)
@FEW
@given(data=st.data())
def test_a_mutation_is_an_error_with_its_line_or_is_read(name: str, data: st.DataObject) -> None:
    """Whatever is written over a part of an output, a parser returns, or names a line."""
    text = OF_NAME[name].text
    at = data.draw(st.integers(0, len(text) - 1))
    length = data.draw(st.integers(0, 12))
    put = data.draw(st.text(st.sampled_from("0123456789 \n\t-+(){}[]<>|:;.,%'\"\\abcxKMGé\u2007\0"), max_size=12))
    damaged = text[:at] + put + text[at + length :]
    try:
        OF_NAME[name].parse(lines(damaged))
    except UnreadableLine as error:
        check_line(error, damaged)


@pytest.mark.parametrize("name", NAMES)
@FEW
@given(text=st.text(max_size=300))
def test_any_text_is_refused_or_read(name: str, text: str) -> None:
    """Text that no tool wrote is an error with a line, never a traceback."""
    try:
        OF_NAME[name].parse(lines(text))
    except UnreadableLine as error:
        check_line(error, text)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_an_error(name: str) -> None:
    """An empty output has no figures, so it is an error or, of a stream, nothing."""
    one = OF_NAME[name]
    try:
        assert not one.figures(one.parse([]))
    except UnreadableLine as error:
        assert error.line <= 1
