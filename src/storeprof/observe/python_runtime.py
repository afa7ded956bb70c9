"""The CPython runtime inside another process: which image has it, and where its fields are.

Asked by the sampler (native/python_process.hpp) until there is an answer; what needs to be fast reads memory itself.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from storeprof.observe.mapped_image import MappedImage, ProcessMemory, images
from storeprof.observe.python_check import MisfitError, NotReadyError, Place, check_offsets
from storeprof.observe.python_offsets import DEBUG_WORDS, NOT_SUPPORTED, UnsupportedError, find_offsets, packed

NOT_PERMITTED = "its memory may not be read"
MOST_MISFITS = 5  # attempts; a program that is busy starting can fail one, but hardly two
_misfits: Counter[int] = Counter()  # by pid
Found = tuple[str, str, str, int, int, bytes]  # status, version, why, addresses of _PyRuntime and PyCode_Type, offsets


def find_runtime(pid: int) -> Found:
    """Look once among the mapped images, as a program may load Python late.

    The status is "searching" (none yet), "attached" or "refused"; `why` is empty when attached.
    """
    status, why = "searching", "no CPython runtime in it (or its symbols were stripped)"
    try:
        with ProcessMemory(pid) as memory:
            program = os.readlink(f"/proc/{pid}/exe")
            for path, base in images(pid):
                if path == program or "libpython" in Path(path).name:
                    found = _in_image(pid, memory, MappedImage(memory, base))
                    if found:
                        return found
    except UnsupportedError as error:
        status, why = "refused", str(error)
    except PermissionError as error:
        status, why = "refused", f"{NOT_PERMITTED} ({error.strerror})"
    except MisfitError as error:
        _misfits[pid] += 1
        status = "refused" if _misfits[pid] >= MOST_MISFITS else "searching"
        why = f"the interpreter does not lie in memory as its version should ({error})"
    except NotReadyError:
        why = "its interpreter runs no Python code yet"
    except OSError as error:
        why = f"its memory can't be read ({error.strerror})"
    return status, "", why, 0, 0, b""


def _in_image(pid: int, memory: ProcessMemory, image: MappedImage) -> Found | None:
    code_type, runtime = image.symbol("PyCode_Type"), image.symbol("_PyRuntime")
    if not runtime and not code_type:
        return None
    if not runtime:
        raise UnsupportedError(f"Python 3.6 or older is {NOT_SUPPORTED}")

    def version() -> int:
        address = image.symbol("Py_Version")
        return memory.u64(address) if address else 0

    name, offsets = find_offsets(memory.read(runtime, DEBUG_WORDS * 8), version)
    place = Place(runtime, code_type, image.symbol("PyUnicode_Type"), image.symbol("PyBytes_Type"))
    check_offsets(pid, memory, place, offsets)
    _misfits.pop(pid, None)
    return "attached", name, "", runtime, code_type, packed(offsets)
