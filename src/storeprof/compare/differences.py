"""What differs between two sides besides the change that is asked about: machine, workload, build, settings."""

from __future__ import annotations

from typing import Any

from storeprof.compare.measured import Measured

_MACHINE = {
    "cpu": "CPU",
    "kernel": "kernel",
    "cpus_usable": "usable CPUs",
    "memory_bytes": "memory",
    "system": "system",
}
_LOAD = {"engine": "engine", "workload": "workload", "threads": "threads", "seed": "seed"}
_PATHS = ("--dir",)  # where a run keeps its data is no setting of it
LONGER = 1.2


def differences(baseline: Measured, candidate: Measured) -> list[str]:
    """One sentence per difference that may stand behind a change of the figures."""
    before, after = baseline.about, candidate.about
    found = [
        f"the machines differ in {word}: {_shown(before, key)} and {_shown(after, key)}; times can't be compared"
        for key, word in _MACHINE.items()
        if _of_machine(before, key) != _of_machine(after, key)
    ]
    if not found and _of_machine(before, "boot_id") != _of_machine(after, "boot_id"):
        found.append("the machine was started anew in between (or it is another of the same kind)")
    found += [
        f"the {word} differs: {before.get(key)} and {after.get(key)}"
        for key, word in _LOAD.items()
        if before.get(key) != after.get(key)
    ]
    if not before.get("engine") and _plain(before.get("command")) != _plain(after.get("command")):
        found.append(f"the commands differ: {_words(before)} and {_words(after)}")
    if before.get("python") != after.get("python"):
        found.append(f"the build differs: Python {before.get('python')} and {after.get('python')}")
    if before.get("storeprof") != after.get("storeprof"):
        found.append(f"recorded by storeprof {before.get('storeprof')} and {after.get('storeprof')}")
    if before.get("collectors") != after.get("collectors"):
        found.append(
            f"the settings differ: recorded with {', '.join(before.get('collectors') or ['nothing'])}, and with "
            f"{', '.join(after.get('collectors') or ['nothing'])}"
        )
    found += _settings(before.get("settings") or {}, after.get("settings") or {})
    found += _builds(baseline, candidate)
    return found + _lengths(before, after) + _failures(baseline, candidate)


def _builds(baseline: Measured, candidate: Measured) -> list[str]:
    """What misleads in the build of one side alone, where both were looked at (--collect)."""
    sides = [side.about.get("build_warnings") for side in (baseline, candidate)]
    if None in sides:
        return []
    named = zip((baseline, candidate), sides, reversed(sides), strict=True)
    return [
        f"the build differs: {side.name}: {what}"
        for side, own, other in named
        for what in own or []
        if what not in (other or [])
    ]


def _settings(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Settings that both sides say; a baseline kept by an older storeprof says none."""
    if not before or not after:
        return []
    return [
        f"the settings differ in {name}: {before.get(name, 'none')} and {after.get(name, 'none')}"
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]


def _lengths(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    first, second = before.get("duration_s"), after.get("duration_s")
    if not first or not second or max(first, second) <= LONGER * min(first, second) or not before.get("engine"):
        return []
    return [f"one side was measured longer: {first:.1f} s and {second:.1f} s; costs that grow with the data show in it"]


def _failures(baseline: Measured, candidate: Measured) -> list[str]:
    return [
        f"{side.name}: the program ended with status {status}"
        for side in (baseline, candidate)
        for status in dict.fromkeys(side.about.get("exit_statuses") or [])
        if status
    ]


def _of_machine(about: dict[str, Any], key: str) -> Any:
    return (about.get("machine") or {}).get(key)


def _shown(about: dict[str, Any], key: str) -> str:
    value = _of_machine(about, key)
    return f"{value / 1e9:.1f} GB" if key == "memory_bytes" and value else str(value)


def _plain(command: list[str] | None) -> list[str]:
    """The command without the places of its data."""
    words = list(command or [])
    return [word for index, word in enumerate(words) if not (index and words[index - 1] in _PATHS)]


def _words(about: dict[str, Any]) -> str:
    return "`" + " ".join(about.get("command") or ["?"])[:80] + "`"
