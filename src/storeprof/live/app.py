"""The live view on the terminal."""

from __future__ import annotations

import asyncio
import linecache
import signal
import time
from collections import deque
from collections.abc import Callable
from typing import ClassVar

from rich.markup import escape
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Static

from storeprof.live.rows import FUNCTIONS, OPERATIONS, THREADS
from storeprof.live.saving import Saving
from storeprof.live.sheet_view import SheetView
from storeprof.live.snapshot import Focus, Snapshot, take_snapshot
from storeprof.live.target import LiveTarget
from storeprof.report.bars import bar, legend
from storeprof.report.fitting import harmless

STEP_S = 0.5
DRAW_S = 1.0
OWN_CPU_DRAWS = 11
SHEETS = (OPERATIONS, THREADS, FUNCTIONS)


class LiveApp(App[None]):
    """Operations, threads and functions of the last seconds."""

    CSS = """
    Static { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    #head { text-style: bold; }
    SheetView { height: 1fr; min-height: 3; padding: 0 1; margin: 1 0 0 0; }
    #operations { max-height: 9; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "quit"),
        Binding("space", "pause", "pause"),
        Binding("s", "sort", "sort"),
        Binding("enter", "drill", "only this", priority=True),
        Binding("escape", "everything", "all"),
        Binding("r", "record", "record"),
        Binding("ctrl+c", "quit", show=False, priority=True),
        Binding("tab", "focus_next", "next table", show=False),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, target: LiveTarget, children: bool, clock: Callable[[], int] = time.monotonic_ns) -> None:
        super().__init__()
        self._target = target
        self._children = children
        self._clock = clock
        self._spent: deque[tuple[int, float]] = deque(maxlen=OWN_CPU_DRAWS)  # time, CPU seconds of this process
        self._focus = Focus()
        self._paused = self._ended = False
        self._snapshot: Snapshot | None = None
        self.saving: Saving | None = None

    def compose(self) -> ComposeResult:
        """Two lines of figures, three tables, the keys."""
        yield Static(id="head")
        yield Static(id="wall")
        yield Static(id="legend")
        yield from (SheetView(sheet) for sheet in SHEETS)
        yield Footer()

    def on_mount(self) -> None:
        """Begin to look and to draw."""
        self.theme = "ansi-dark"
        for number in (signal.SIGTERM, signal.SIGHUP):  # the terminal is given back in any case
            asyncio.get_running_loop().add_signal_handler(number, self.exit)
        self.set_interval(STEP_S, self._step)
        self.set_interval(DRAW_S, self._draw)
        self.query_one("#threads").focus()
        self._draw()

    def _step(self) -> None:
        if not self._ended:
            self._target.step()
            self._ended = not self._target.alive()

    def _draw(self) -> None:
        if not self._paused and not self._ended:
            self._snapshot = take_snapshot(self._target.feed, self._clock(), self._focus)
            for view in self.query(SheetView):
                view.show(self._snapshot)
            # A program whose operations are not known leaves its lines to threads and functions.
            self.query_one("#operations").display = bool(self._snapshot.operations)
        self._say()

    def _say(self) -> None:
        snapshot = self._snapshot
        if snapshot is None:
            return
        state = "ended" if self._ended else "paused" if self._paused else f"last {snapshot.seconds:.0f} s"
        memory = "unknown" if snapshot.rss_bytes is None else f"{snapshot.rss_bytes / 1e6:.0f} MB"
        if snapshot.rss_growth_per_min is not None:
            memory += f" ({snapshot.rss_growth_per_min / 1e6:+.1f} MB/min)"
        parts = [state, f"CPU {snapshot.cpu:.0%}", f"memory {memory}", f"storeprof {self._own_cpu():.1%}"]
        if self.saving:
            parts.append("recording" if self.saving.running() else "recorded")
        title = escape(harmless(self._target.title))
        self._write("head", f"{'   '.join(parts)}   {title}")
        narrowed = self._focus.operation or (f"thread {self._focus.tid}" if self._focus.tid else "")
        only = f"only {escape(narrowed)}: " if narrowed else ""
        width = max(20, self.size.width - 2)
        self._write("wall", bar(snapshot.wall, width))
        self._write("legend", only + legend(_shares(snapshot.wall)))

    def _write(self, where: str, words: str) -> None:
        self.query_one(f"#{where}", Static).update(words, layout=False)

    def _own_cpu(self) -> float:
        """CPU time of this process over the last draws, of one CPU."""
        self._spent.append((self._clock(), time.process_time()))
        (since_ns, before_s), (now_ns, now_s) = self._spent[0], self._spent[-1]
        return (now_s - before_s) / max(1e-9, (now_ns - since_ns) / 1e9)

    def action_pause(self) -> None:
        """Stop and go on drawing; looking goes on."""
        self._paused = not self._paused
        self._say()

    def action_sort(self) -> None:
        """Order the table that has the focus by its next column."""
        view = self.focused
        if isinstance(view, SheetView):
            self.notify(f"{view.id} by {view.order_next()}", timeout=2)

    def action_drill(self) -> None:
        """Narrow everything to the row under the cursor; a function shows its line."""
        view = self.focused
        if not isinstance(view, SheetView) or not view.selected:
            return
        key = view.selected
        if view.id == "operations":
            self._focus = Focus(operation=key)
        elif view.id == "threads":
            self._focus = Focus(tid=int(key))
        elif self._snapshot:
            row = next(one for one in self._snapshot.functions if one.function == key)
            source = linecache.getline(row.file, row.line).strip() or "(no source here)"
            self.notify(escape(f"{row.file}:{row.line}\n{source}"), title=escape(key), timeout=10)
            return
        self._draw()

    def action_everything(self) -> None:
        """Everything again, without notes over it."""
        self.clear_notifications()
        self._focus = Focus()
        self._draw()

    def action_record(self) -> None:
        """Begin to save a recording; the second time, end it."""
        if self.saving is None:
            self.saving = Saving(self._target.pid, "top", self._children)
            self.notify(f"recording to {self.saving.folder}; r ends it", timeout=4)
        else:
            saving, self.saving = self.saving, None
            self.notify("finishing the recording …", timeout=2)
            self.run_worker(lambda: self._finish(saving), thread=True)

    def _finish(self, saving: Saving) -> None:
        self.call_from_thread(self.notify, escape(saving.finish()), timeout=10)


def _shares(wall: dict[str, float]) -> dict[str, float]:
    total = sum(wall.values()) or 1.0
    return {key: value / total for key, value in wall.items()}
