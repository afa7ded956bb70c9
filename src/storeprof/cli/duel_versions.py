"""The two versions of a duel, from the options of its command line."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from storeprof.errors import UsageError

BUILT = ".storeprof-build"


def versions(options: argparse.Namespace, folder: Path, stack: ExitStack) -> tuple[Any, Any]:
    """Baseline and candidate; checkouts last as long as `stack`.

    Raises UsageError for options that name no two versions, CommandNotFound and CommandNotExecutable for commands.
    """
    _check(options)
    trees = [_tree(options, side, folder, stack) for side in ("baseline", "candidate")]
    if options.engine:
        return _engine(options, "baseline", trees[0]), _engine(options, "candidate", trees[1])
    commands = [options.baseline, options.candidate or options.baseline]
    return _command("baseline", commands[0], trees[0]), _command("candidate", commands[1], trees[1])


def _check(options: argparse.Namespace) -> None:
    from storeprof.engines.registry import find_engine
    from storeprof.workload.catalogue import find_workload

    revisions = options.baseline_rev or options.candidate_rev
    _check_unused(options)
    if bool(options.engine) == bool(options.baseline or options.candidate):
        raise UsageError("name two commands by --baseline and --candidate, or an engine by --engine; see --help")
    if options.engine:
        from storeprof.cli.duel import settings_of

        find_workload(options.workload)
        for of_side in (options.baseline_set, options.candidate_set):
            find_engine(options.engine).make(settings_of([*options.set, *of_side]))
        same = not revisions and options.baseline_set == options.candidate_set
        if same and not options.self:
            raise UsageError("both sides are the same; give --candidate-rev, --candidate-set, or --self")
    elif not options.baseline:
        raise UsageError("there is no --baseline COMMAND")
    elif not options.candidate and not options.self and not revisions:
        raise UsageError("there is no --candidate COMMAND; with --self the baseline is measured against itself")


def _check_unused(options: argparse.Namespace) -> None:
    """Refuse what would be passed over in silence: somebody would believe that it was measured."""
    if options.self and (options.candidate or options.candidate_rev or options.candidate_set):
        raise UsageError("--self measures the baseline against itself: leave --candidate, -rev and -set out")
    if not options.engine and (options.set or options.baseline_set or options.candidate_set):
        raise UsageError("--set is for engines (--engine); write a command's settings into the command")
    if options.build and not (options.baseline_rev or options.candidate_rev):
        raise UsageError("--build is run in checkouts: name one with --baseline-rev or --candidate-rev")
    if options.build:
        _words("build", options.build)


def _tree(options: argparse.Namespace, side: str, folder: Path, stack: ExitStack) -> Path | None:
    """The checkout of a side; None for what is here."""
    from storeprof.duel.revisions import Worktree

    revision = options.baseline_rev if side == "baseline" or options.self else options.candidate_rev
    if revision is None:
        return None
    build = options.build
    if build is None and options.engine:
        build = f"{shlex.quote(sys.executable)} -m pip install --quiet --no-deps --target {BUILT} ."
    print(f"storeprof: checking out {revision}" + (" and building it" if build else ""), file=sys.stderr, flush=True)
    return stack.enter_context(Worktree(Path(), revision, folder / f"tree-{side}", build)).check_out()


def _engine(options: argparse.Namespace, side: str, tree: Path | None) -> Any:
    import storeprof.workload
    from storeprof.duel.options import FRESH, Version

    worker = Path(storeprof.workload.__path__[0]) / "slices.py"
    of_side = options.baseline_set if side == "baseline" or options.self else options.candidate_set
    settings = [word for pair in [*options.set, *of_side] for word in ("--set", pair)]
    command = (
        sys.executable, "-P", str(worker), options.engine, "--workload", options.workload, "--dir", FRESH,
        "--seed", str(options.seed), *settings,
    )  # fmt: skip
    return Version(side, command, environment={} if tree is None else {"PYTHONPATH": _path(tree)})


def _path(tree: Path) -> str:
    """Where Python finds the engine of a checkout: what was built first."""
    places = [tree / BUILT, tree / "src", tree]
    return os.pathsep.join(str(place) for place in places if place.is_dir())


def _command(side: str, command: str, tree: Path | None) -> Any:
    from storeprof.collect.command_check import check_command
    from storeprof.duel.options import Version

    words = _words(side, command)
    if tree is None or "/" not in words[0]:
        check_command(words)
    return Version(side, tuple(words), cwd=tree)


def _words(option: str, command: str) -> list[str]:
    """A command as a shell would take it apart. Raises UsageError."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--{option} {command!r}: {error}; quote it as for a shell") from None
    if not words:
        raise UsageError(f"--{option} {command!r}: is no command")
    return words
