"""The exact command that makes a tool available on this system."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from typing import Final

from storeprof.collect.collector import Availability

# Package managers by their command, in the order of preference; {} is the package.
_MANAGERS: Final[Mapping[str, str]] = {
    "apt-get": "apt-get install -y {}",
    "dnf": "dnf install -y {}",
    "zypper": "zypper install -y {}",
    "pacman": "pacman -S --noconfirm {}",
    "apk": "apk add {}",
    "brew": "brew install {}",
}
_PERF: Final[Mapping[str, str]] = {"apt-get": "linux-perf"}
_PACKAGES: Final[Mapping[str, Mapping[str, str]]] = {"perf": _PERF, "gprof": dict.fromkeys(_MANAGERS, "binutils")}


def install_command(tool: str) -> str:
    """What to type to get a tool, with sudo where we are not root."""
    for manager, template in _MANAGERS.items():
        if shutil.which(manager):
            package = _PACKAGES.get(tool, {}).get(manager, tool)
            sudo = "" if os.geteuid() == 0 or manager == "brew" else "sudo "
            return sudo + template.format(package)
    return f"install {tool} with this system's package manager"


def pip_command(package: str, python: str = sys.executable) -> str:
    """What to type to get a Python package for an interpreter."""
    return f"{python} -m pip install {package}"


def installed(tool: str) -> Availability:
    """Whether a program is in PATH; else the command that gets it."""
    if shutil.which(tool) is None:
        return Availability(False, f"{tool} is not installed", install_command(tool))
    return Availability(True)
