"""What a gate says: for people, as JUnit XML for CI, as Markdown for a summary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

_WORDS = {"passed": "passed", "regressed": "REGRESSED", "cannot-tell": "can't tell"}
Line = tuple[str, str, str]


def text(lines: Sequence[Line]) -> str:
    """One line a rule: status, rule, reason."""
    return "\n".join(f"{_WORDS[status]:10}  {rule}: {reason}" for rule, status, reason in lines)


def markdown(lines: Sequence[Line], title: str = "storeprof gate") -> str:
    """A table of the rules."""
    rows = [f"| {_cell(rule)} | {_WORDS[status]} | {_cell(reason)} |" for rule, status, reason in lines]
    return "\n".join([f"### {title}", "", "| rule | result | measured |", "| --- | --- | --- |", *rows, ""])


def write_junit(path: Path, lines: Sequence[Line]) -> None:
    """A test suite with a case per rule; what can't be told is an error, for it is no pass. Raises OSError."""
    counts = {status: sum(one == status for _, one, _ in lines) for status in _WORDS}
    suite = ElementTree.Element(
        "testsuite",
        name="storeprof gate",
        tests=str(len(lines)),
        failures=str(counts["regressed"]),
        errors=str(counts["cannot-tell"]),
    )
    for rule, status, reason in lines:
        case = ElementTree.SubElement(suite, "testcase", classname="storeprof.gate", name=rule)
        if status != "passed":
            kind = "failure" if status == "regressed" else "error"
            ElementTree.SubElement(case, kind, message=reason, type=status).text = f"{rule}: {reason}"
        else:
            ElementTree.SubElement(case, "system-out").text = reason
    root = ElementTree.Element("testsuites")
    root.append(suite)
    partial = path.with_name(path.name + ".partial")
    ElementTree.ElementTree(root).write(partial, encoding="utf-8", xml_declaration=True)
    partial.replace(path)


def _cell(words: str) -> str:
    """Names of operations as they are: `Map<int>::get` is no tag, and `operator*` emphasizes nothing."""
    words = words.replace("&", "&amp;").replace("<", "&lt;").replace("`", "\\`")
    return words.replace("|", "\\|").replace("*", "\\*").replace("\n", " ")
