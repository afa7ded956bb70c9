"""Lines in which a program counts its operations are found however the output arrives, in bounded memory."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from storeprof.collect.output_relay import LONGEST_LINE, OpsLines

TEXT = b"start\nops=10 seconds=1.5\nnoise ops=x seconds=1\nlog: ops=20 seconds=3 done\n\nops=30 seconds=4.25"
FOUND = [(10, 1.5), (20, 3.0), (30, 4.25)]


def counted(pieces: list[bytes], *pattern: bytes) -> list[tuple[int, float | None]]:
    """All that is found in the pieces."""
    lines = OpsLines(*pattern)
    return [found for piece in pieces for found in lines.feed(piece)] + list(lines.close())


@given(st.lists(st.integers(0, len(TEXT)), max_size=12))
def test_the_cuts_do_not_matter(cuts: list[int]) -> None:
    """However the stream is cut into pieces, the same lines count, the unfinished last one included."""
    ends = [0, *sorted(cuts), len(TEXT)]
    assert counted([TEXT[a:b] for a, b in pairwise(ends)]) == FOUND


def test_an_endless_line_is_passed_over() -> None:
    """A line longer than the limit is not kept, does not count, and the next one does."""
    lines = OpsLines()
    for _ in range(3 * LONGEST_LINE // 1024):
        assert not list(lines.feed(b"x" * 1024))
        assert len(lines._partial) <= LONGEST_LINE
    assert list(lines.feed(b"ops=1 seconds=1\nops=2 seconds=2\n")) == [(2, 2.0)]


def test_patterns_of_the_user() -> None:
    """A pattern may lack the seconds, may anchor lines, and may match what is no number without harm."""
    assert counted([b"done 1,234 in\n"], rb"^done ([\d,]+) in$") == [(1234, None)]
    assert counted([b"n=five\nn=6.0\n"], rb"n=(\S+)") == [(6, None)]
    assert counted([b"nothing here\n"], rb"nothing") == []
