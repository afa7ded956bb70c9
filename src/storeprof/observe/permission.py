"""Why another process may not be looked into, and what would help.

Whatever forbids it (another user, Yama, missing capabilities, a seccomp filter) answers EPERM: the circumstances tell.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")
CAP_SYS_PTRACE = 19
LAUNCH = "start the program with `storeprof record -- COMMAND`"
CONTAINER = "in a container: --cap-add SYS_PTRACE (and --security-opt seccomp=unconfined)"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One line each: why, and what would help."""

    reason: str
    remedy: str


def refusal(pid: int, yama: Path = YAMA) -> Refusal:
    """The likeliest cause, for a process that may not be looked into; `yama` is the file with its setting."""
    ours, theirs = _status("self"), _status(str(pid))
    capable = bool(int(ours.get("CapEff", "0"), 16) >> CAP_SYS_PTRACE & 1)
    owner = int(theirs.get("Uid", "-1").split()[0])
    scope = _number(yama)
    if capable and ours.get("Seccomp", "0") == "0":
        return Refusal("the kernel forbids it although we may trace processes (a security module?)", LAUNCH)
    if capable:
        return Refusal("a seccomp filter forbids it", CONTAINER)
    if owner not in (os.geteuid(), -1):
        name = _user_name(owner)
        users = name if owner == 0 else f"{name} or root"
        remedy = f"run storeprof as {users}, or give it CAP_SYS_PTRACE; {CONTAINER}"
        return Refusal(f"it runs as another user ({name})", remedy)
    if scope:
        whom = {1: "only a process's parent", 2: "only a process with CAP_SYS_PTRACE"}.get(scope, "nobody")
        remedy = f"set sysctl kernel.yama.ptrace_scope=0, give storeprof CAP_SYS_PTRACE, or {LAUNCH}; {CONTAINER}"
        return Refusal(f"kernel.yama.ptrace_scope is {scope}: {whom} may look into it", remedy)
    if ours.get("Seccomp", "0") != "0":
        return Refusal("a seccomp filter forbids it", CONTAINER)
    return Refusal("it is not dumpable (set-uid, or it asked for it)", f"run storeprof as root; {CONTAINER}")


def _status(process: str) -> dict[str, str]:
    try:
        lines = Path(f"/proc/{process}/status").read_text(errors="replace").splitlines()
    except OSError:
        return {}
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
