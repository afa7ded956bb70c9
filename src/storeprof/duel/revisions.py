"""Two revisions of a repository side by side: git worktrees, built, and removed afterwards."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from storeprof.collect.tool_process import ToolResult, run_tool
from storeprof.duel.ending import undisturbed
from storeprof.errors import CollectorError, UsageError

GIT_S = 120.0
BUILD_S = 1800.0


class Worktree:
    """A revision checked out into a folder of its own; gone after the `with` block, however far `check_out` came."""

    def __init__(self, repository: Path, revision: str, folder: Path, build: str | None) -> None:
        self._repository, self._revision, self._build = repository, revision, build
        self.folder = folder.absolute()
        self._begun = False

    def __enter__(self) -> Worktree:
        return self

    def check_out(self) -> Path:
        """Check out and build. Raises UsageError for a revision or a build that fails."""
        found = self._git("rev-parse", "--verify", "--quiet", f"{self._revision}^{{commit}}")
        if found.status:
            raise UsageError(
                f"{self._revision!r} is no revision of the git repository at {self._repository.absolute()}"
            )
        commit = found.stdout.decode().strip()
        self._begun = True
        done = self._git("worktree", "add", "--detach", "--force", str(self.folder), commit)
        if done.status:
            raise UsageError(f"git could not check out {self._revision}: {_last(done.stderr)}")
        self._run_build()
        return self.folder

    def __exit__(self, *_: object) -> None:
        if self._begun:
            with undisturbed():
                self._remove()

    def _run_build(self) -> None:
        if not self._build:
            return
        done = run_tool(shlex.split(self._build), timeout_s=BUILD_S, cwd=self.folder)
        if done.status:
            words = _last(done.stderr or done.stdout) or f"status {done.status}"
            raise UsageError(f"the build of {self._revision} failed ({self._build}): {words}")

    def _remove(self) -> None:
        self._git("worktree", "remove", "--force", str(self.folder))
        shutil.rmtree(self.folder, ignore_errors=True)
        self._git("worktree", "prune")

    def _git(self, *arguments: str) -> ToolResult:
        try:
            return run_tool(["git", "-C", str(self._repository), *arguments], timeout_s=GIT_S)
        except CollectorError:
            raise UsageError("git is not installed; revisions need it") from None


def _last(output: bytes) -> str:
    return output.decode(errors="replace").strip().rsplit("\n", 1)[-1][-200:]
