"""A real terminal: tmux, with keys and what is on the screen."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

PAUSE_S = 0.1


class Terminal:
    """A tmux server of its own with one window of 80 x 24, in which a shell runs."""

    def __init__(self, folder: Path, columns: int = 80, lines: int = 24) -> None:
        self._socket = f"storeprof-test-{uuid.uuid4().hex[:12]}"
        environment = {**os.environ, "TERM": "xterm-256color", "PS1": "ready> ", "SHELL": "/bin/sh"}
        environment.pop("TMUX", None)
        self._tmux(
            "-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(lines), "-c", str(folder), "/bin/sh",
            environment=environment,
        )  # fmt: skip

    def close(self) -> None:
        """End the server and what runs in it."""
        self._tmux("kill-server")

    def run(self, *command: str | Path) -> None:
        """Type a command."""
        self.keys(shlex.join(map(str, command)), "Enter")

    def keys(self, *keys: str) -> None:
        """Press keys."""
        self._tmux("send-keys", *keys)

    def resize(self, columns: int, lines: int) -> None:
        """Change the size of the window."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(lines))

    def screen(self) -> str:
        """What is on the screen."""
        return self._tmux("capture-pane", "-p")

    def flag(self, name: str) -> str:
        """One of tmux's variables of the window."""
        return self._tmux("display-message", "-p", f"#{{{name}}}").strip()

    def wait_for(self, condition: str | Callable[[str], bool], timeout_s: float = 30) -> str:
        """The screen, once words are on it or a condition holds."""
        deadline = time.monotonic() + timeout_s
        while True:
            screen = self.screen()
            if condition in screen if isinstance(condition, str) else condition(screen):
                return screen
            assert time.monotonic() < deadline, f"{condition!r} did not come:\n{screen}"
            time.sleep(PAUSE_S)

    def _tmux(self, *arguments: str, environment: dict[str, str] | None = None) -> str:
        command = ["tmux", "-L", self._socket, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20, env=environment)
        return done.stdout
