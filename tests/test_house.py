"""The rules of the house that a machine can check: layers, sizes, who starts processes, docs and test sentences."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "storeprof"

# Who may import whom, by package. `errors` and the version are open to all but the probe.
ALLOWED = {
    "probe": set(),
    "tsdb": {"probe"},
    "recording": set(),
    "observe": {"recording"},
    "collect": {"recording"},
    "engines": {"tsdb"},
    "workload": {"engines", "probe"},
    "analysis": {"recording"},
    "session": {"recording", "observe", "collect", "analysis"},
    "views": {"recording", "analysis"},
    "compare": {"recording", "analysis"},
    "duel": {"recording", "collect", "analysis", "session", "compare"},
    "report": {"recording", "analysis", "views"},
    "exports": {"recording", "analysis", "views", "report"},
    "api": {"recording", "collect", "analysis", "session", "report", "exports"},
    "live": {"recording", "observe", "collect", "analysis", "session", "report"},
    "intake": {"recording", "observe", "collect", "session"},
    "pytest_plugin": {"recording", "observe", "collect", "analysis", "session", "compare", "duel"},
    "cli": {
        "recording", "observe", "collect", "analysis", "views", "session", "compare", "duel", "report", "exports",
        "api", "live", "intake", "engines", "workload",
    },
}  # fmt: skip
NATIVE_LINES = 3000
MODULE_LINES = 350
FUNCTION_LINES = 60
# Tables and lists of options may be longer; each of these says so.
LONGER_MODULES: set[str] = set()


def modules() -> list[Path]:
    """All modules of the package."""
    return sorted(SOURCE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Packages of storeprof that a module imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module] + [
                f"{node.module}.{alias.name}" for alias in node.names if node.module == "storeprof"
            ]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "storeprof" and len(parts) > 1 and parts[1] in ALLOWED:
                found.add(parts[1])
    return found


def test_inner_packages_never_import_outer_ones() -> None:
    """Data flows one way: a package imports only those its layer allows."""
    wrong = []
    for path in modules():
        package = path.relative_to(SOURCE).parts[0]
        if package in ALLOWED:
            outside = imported(path) - ALLOWED[package] - {package}
            wrong += [f"{path.relative_to(ROOT)} imports {name}" for name in sorted(outside)]
    assert wrong == []


def test_every_package_has_its_layer() -> None:
    """A new package is given its place among the layers before it lands."""
    packages = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()}
    assert packages == set(ALLOWED)


def test_the_package_root_is_not_imported_from_inside() -> None:
    """Inner modules import their siblings by name; only the version is taken from the root."""
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "storeprof":
                assert {alias.name for alias in node.names} == {"__version__"}, path


def test_only_one_module_starts_processes() -> None:
    """Signals, timeouts and zombies are known in collect/tool_process.py and nowhere else."""
    starts = re.compile(
        r"\bimport subprocess\b|\bfrom subprocess\b|os\.fork\(|os\.posix_spawn|os\.exec|os\.system\(|os\.popen\("
    )
    guilty = [path.name for path in modules() if starts.search(path.read_text(encoding="utf-8"))]
    assert guilty == ["tool_process.py"]


def test_modules_and_functions_stay_small() -> None:
    """No module over 350 lines, no function over 60."""
    large = []
    for path in modules():
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > MODULE_LINES and path.name not in LONGER_MODULES:
            large.append(f"{path.relative_to(ROOT)}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, ast.FunctionDef)
                and node.end_lineno
                and node.end_lineno - node.lineno >= FUNCTION_LINES
            ):
                large.append(f"{path.relative_to(ROOT)}: {node.name}")
    assert large == []


def test_native_code_stays_under_its_limit() -> None:
    """All native code together is under 3,000 lines."""
    files = [*(ROOT / "native").iterdir(), *(ROOT / "include" / "storeprof").iterdir()]
    assert sum(path.read_text(encoding="utf-8").count("\n") for path in files if path.is_file()) < NATIVE_LINES


def test_no_module_has_a_name_without_a_meaning() -> None:
    """No util, no helpers, no manager."""
    assert not [path for path in modules() if re.search(r"util|helper|manager|common|misc", path.stem)]


def test_every_test_states_its_rule() -> None:
    """Each test has a docstring of one sentence."""
    silent = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node):
                silent.append(f"{path.name}: {node.name}")
    assert silent == []


def test_every_command_and_option_has_help() -> None:
    """A command line that teaches: nothing without a word of help."""
    import argparse

    from storeprof.cli.main import build_parser

    commands = next(one for one in build_parser()._actions if isinstance(one, argparse._SubParsersAction))
    assert set(commands.choices) == {
        "profile", "record", "analyze", "report", "compare", "duel", "gate", "baseline", "export", "import", "top",
        "doctor", "config",
    }  # fmt: skip
    for parser in commands.choices.values():
        assert parser.description
        assert all(action.help for action in parser._actions)


def test_every_direct_dependency_has_its_reason() -> None:
    """At most ten direct dependencies, each named with its reason in docs/decisions."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = project["dependencies"] + extras["dev"]
    reasons = (ROOT / "docs" / "decisions" / "0002-dependencies.md").read_text(encoding="utf-8")
    assert len(wanted) <= 10
    for requirement in wanted + extras["viewers"]:
        name = re.split(r"[<>=]", requirement)[0]
        assert f"**{name}**" in reasons


def test_every_package_is_on_the_map() -> None:
    """docs/architecture.md names every package."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert [name for name in ALLOWED if f"`{name}`" not in text] == []


def test_no_placeholder_is_left_in_a_document() -> None:
    """What is to be filled in has been filled in."""
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        assert "@@" not in path.read_text(encoding="utf-8"), path


def test_links_between_documents_lead_somewhere() -> None:
    """A relative link in a document of the project names a file that exists."""
    dead = []
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8")):
            if not (path.parent / target).exists():
                dead.append(f"{path.relative_to(ROOT)}: {target}")
    assert dead == []


def test_the_help_loads_nothing_heavy() -> None:
    """`storeprof --help` answers without loading the database, numpy or the report's library."""
    code = (
        "import sys, storeprof.cli.main as m; m.build_parser();"
        "print([n for n in ('duckdb', 'numpy', 'rich', 'textual') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"


def test_every_collector_has_its_page() -> None:
    """docs/guide/collectors says of each collector what it costs, needs and can't see."""
    from storeprof.collect.registry import registered

    shared = {"memcheck": "valgrind", "massif": "valgrind", "cachegrind": "valgrind"}
    for one in registered():
        name = one.collector.name
        text = (ROOT / "docs" / "guide" / "collectors" / f"{shared.get(name, name)}.md").read_text(encoding="utf-8")
        assert all(word in text for word in ("| costs |", "| needs |", "**Can't see**")), name
