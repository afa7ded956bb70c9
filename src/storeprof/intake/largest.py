"""What most of the bytes in a file of blocks are, by whoever allocated them or by what they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from storeprof.collect.tool_output import Frame, Site
from storeprof.session.pass_tables import NO_PLACE

MOST_LISTED: Final = 20


def largest_sites(sites: Iterable[tuple[Site, str | None]]) -> list[dict[str, Any]]:
    """Rows of name, count and bytes, the most bytes first; a site without a stack goes by the name given with it."""
    sums: dict[str, list[int]] = {}
    for site, what in sites:
        name = _asked(site.frames) or what
        if name is None or not site.bytes:
            continue
        both = sums.setdefault(name, [0, 0])
        both[0] += site.count or 0
        both[1] += site.bytes
    ranked = sorted(sums.items(), key=lambda item: -item[1][1])
    return [{"name": name, "count": count or None, "bytes": size} for name, (count, size) in ranked[:MOST_LISTED]]


def _asked(frames: Iterable[Frame]) -> str | None:
    """Who asked the allocator; None without a stack."""
    names = [frame.function for frame in frames]
    return next((name for name in names if not NO_PLACE.match(name)), names[0] if names else None)
