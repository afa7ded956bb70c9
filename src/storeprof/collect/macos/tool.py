"""Whether a tool of macOS can run here, and what it would need: the same answer for all of them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from typing import Final

from storeprof.collect.collector import Availability

IMPORT: Final = "record with it on the Mac, and bring its output here: storeprof import FILE --out DIR"
XCODE: Final = frozenset({"xctrace"})


def mac_tool(
    name: str,
    *,
    needs_root: bool,
    hint: str | None = None,
    platform: str = sys.platform,
    found: Callable[[str], str | None] = shutil.which,
) -> Availability:
    """Whether `name` can run here; `hint` is said beside it when it can, but not for every program.

    `platform` and `found` are those of this machine; a test names others.
    """
    if platform != "darwin":
        return Availability(False, f"{name} is a tool of macOS; this is {platform}", IMPORT)
    if found(name) is None:
        remedy = "install Xcode" if name in XCODE else "install the command line tools: xcode-select --install"
        return Availability(False, f"{name} is not installed", remedy)
    if needs_root and os.geteuid() != 0:
        return Availability(
            False, f"{name} needs root", f"sudo storeprof …, or run it yourself with sudo; then {IMPORT}"
        )
    return Availability(True, hint)
