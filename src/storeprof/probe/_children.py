"""Children that multiprocessing starts afresh (spawn, forkserver) time what their parent was asked to time.

A child unpickles what its parent sends before it does anything else. One more entry in it, which the child's
multiprocessing does not look at, is a call that prepares the child when it is unpickled; `exec` is what any Python has.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from storeprof.probe._after_import import AfterImport

ROOT = str(Path(__file__).resolve().parents[2])
SPAWN = "multiprocessing.spawn"
_BEGIN = """
import sys
sys.path.append({root!r})
try:
    from storeprof.probe import _children
    _children.begin({names!r})
except Exception:
    pass
finally:
    sys.path.remove({root!r})
"""


class _Beginning:
    """What a child runs when it unpickles this."""

    def __init__(self, names: Sequence[str]) -> None:
        self._code = _BEGIN.format(root=ROOT, names=list(names))

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return exec, (self._code, {})


def follow(names: Sequence[str]) -> None:
    """Have children do the same as this process, from the import of multiprocessing's part that starts them on."""

    def send_with(spawn: Any) -> None:
        prepared = spawn.get_preparation_data

        def get_preparation_data(name: str) -> dict[str, Any]:
            return {**prepared(name), "storeprof": _Beginning(names)}

        spawn.get_preparation_data = get_preparation_data

    if SPAWN in sys.modules:
        send_with(sys.modules[SPAWN])
    else:
        sys.meta_path.insert(0, AfterImport(lambda name: name == SPAWN, send_with))


def begin(names: Sequence[str]) -> None:
    """In the child, before its copy of the main program is run: wrap what is named, the main program's own after it."""
    from storeprof.probe import named_operations

    asked, patterns = named_operations.begin(names, "")  # what is found and what isn't was said by the first process
    spawn: Any = sys.modules[SPAWN]
    prepare = spawn.prepare

    def prepare_and_wrap(data: dict[str, Any]) -> None:
        prepare(data)
        main = sys.modules.get("__mp_main__")
        if isinstance(main, ModuleType):
            named_operations.wrap_spawned_main(asked, patterns, main)

    spawn.prepare = prepare_and_wrap
    follow(names)
