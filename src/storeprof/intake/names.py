"""Names as tools print them -> as recordings have them; and what is the program's own.

C++ without argument lists, as in recordings of our own; Rust's legacy mangling taken apart, its hash left out; names
that are still mangled (`_Z…`) are demangled by c++filt where it is installed, all of a file together.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from typing import Final

from storeprof.collect.tool_output import Frame
from storeprof.collect.tool_process import run_tool
from storeprof.errors import CollectorError
from storeprof.observe.modules import is_library
from storeprof.session.native_names import is_native_library, own_callable, short_name

_RUST_HASH: Final = re.compile(r"::h[0-9a-f]{16}\b")
_RUST_ESCAPE: Final = re.compile(r"\$(LT|GT|RF|BP|C|SP|LP|RP|u([0-9a-f]{2,6}))\$")
_RUST: Final = {"LT": "<", "GT": ">", "RF": "&", "BP": "*", "C": ",", "SP": "@", "LP": "(", "RP": ")"}
_ADDRESS: Final = re.compile(r"(0x)?[0-9a-fA-F]{6,}|\?{3}|\[unknown\]|<deduplicated_symbol>")
# Where only the name of a binary is known: what comes with macOS.
_SYSTEM_IMAGE: Final = re.compile(
    r"^(/usr/lib/|/System/|/Library/Apple/|/usr/libexec/|.*/Developer/.*/(usr/lib|System)/)"
    r"|(^|/)(libsystem_|libSystem|libdispatch|libc\+\+|libobjc|libdyld|dyld|libxpc|libswift|libpthread|libmacho|libunwind"
    r"|libsqlite3|libz\.1|libcorecrypto|libicucore|libBacktraceRecording|libsanitizers|libMain)"
    r"|^(CoreFoundation|Foundation|AppKit|UIKit|UIKitCore|HIToolbox|HIServices|Security|IOKit|QuartzCore|CoreGraphics"
    r"|CoreServicesInternal|CoreServices|CFNetwork|SkyLight|Metal|CoreData|GraphicsServices|CoreAnimation|CoreText"
    r"|CoreMedia|AudioToolbox|LaunchServices|ViewBridge|Network|ImageIO|kernel|CarbonCore|SystemConfiguration)$"
)
_C_RUNTIME: Final = frozenset(
    {"_start", "start", "__libc_start_main", "__libc_start_call_main", "start_thread", "thread_start", "clone",
     "clone3",
     "__clone", "__clone3", "_pthread_start", "_pthread_body", "start_wqthread", "_pthread_wqthread"}
)  # fmt: skip
# What only passes a wait on: the place is where it was called from.
_WAIT_WRAPPER: Final = re.compile(r"(^|::|\.)([wW]ait|[wW]ait_?[fF]or|[wW]ait_?[uU]ntil|[tT]imed_?[wW]ait|park|Park)$")
_RUNS_A_THREAD: Final = re.compile(r"std::(__1::)?__(thread_proxy|thread_execute|invoke|function::)")
_DEMANGLER: Final = "c++filt"
_DEMANGLE_S: Final = 20.0


def plain_name(symbol: str) -> str:
    """A function's name without argument list, hash and escapes."""
    name = symbol
    if "$" in name and _RUST_ESCAPE.search(name):
        name = _RUST_ESCAPE.sub(_unescaped, name).replace("..", "::")
        name = name[1:] if name.startswith("_<") else name
    name = _RUST_HASH.sub("", name)
    if name.startswith(("-[", "+[")):
        return name
    return short_name(own_callable(name) or name).strip() or symbol


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[2], 16)) if found[2] and int(found[2], 16) < 0x110000 else _RUST.get(found[1], found[0])


def is_own(frame: Frame) -> bool:
    """Whether a frame is the program's own code: no kernel, no system library, no runtime, not without a name."""
    if frame.kind == "kernel":
        return False
    if frame.kind == "python":
        return not is_library(frame.file or "")
    if _ADDRESS.fullmatch(frame.function) or frame.function in _C_RUNTIME:
        return False
    image = frame.image or ""
    if _RUNS_A_THREAD.search(frame.function) or _WAIT_WRAPPER.search(frame.function.split("(")[0]):
        return False
    if _SYSTEM_IMAGE.search(image):
        return False
    return not is_native_library(frame.function, image)


def demangled(names: Sequence[str]) -> dict[str, str]:
    """Names that are mangled -> what they stand for; empty where c++filt is missing or fails."""
    mangled = sorted({name for name in names if name.startswith(("_Z", "__Z", "_R"))})
    if not mangled or shutil.which(_DEMANGLER) is None:
        return {}
    text = "\n".join(name[1:] if name.startswith("__Z") else name for name in mangled) + "\n"
    try:
        done = run_tool([_DEMANGLER], timeout_s=_DEMANGLE_S, input=text.encode(errors="replace"))
    except CollectorError:
        return {}
    found = done.stdout.decode(errors="replace").split("\n")[:-1]
    return dict(zip(mangled, found, strict=True)) if done.status == 0 and len(found) == len(mangled) else {}
