"""A small stand-in for `storeprof record`: MODE FOLDER -- COMMAND...

What it learned goes to FOLDER/outcome.json. Modes: plain (relay and held command), die-held (killed before
the release), stubborn (signals disturbed first), tool (a background tool, killed beside it), perf and
perf-nobody (perf attached first; the latter as user 65534), perf-killed (killed after a second).
"""

import ctypes
import json
import os
import signal
import sys
from pathlib import Path

from storeprof.collect.collector import Context
from storeprof.collect.linux.perf import ENVIRONMENT, Perf, PerfOptions, PerfSession
from storeprof.collect.tool_process import BackgroundTool, HeldCommand, OutputRelay, run_tool

PR_SET_DUMPABLE = 4


def main():
    mode, folder, command = sys.argv[1], Path(sys.argv[2]), sys.argv[4:]
    if mode == "perf-nobody" and os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        # A process that changed its user may not be traced by that user; one that a user started may.
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    if mode == "stubborn":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    if mode == "tool":
        tool = BackgroundTool(command, folder / "tool.stderr")
        write(folder, {"pid": tool.pid})
        os.kill(os.getpid(), signal.SIGKILL)
    relay = OutputRelay(folder / "ops.jsonl")
    held = HeldCommand(command, env_additions={"STOREPROF_TEST": "yes"}, stdout=relay.program_end)
    if mode == "die-held":
        write(folder, {"pid": held.pid})
        os.kill(os.getpid(), signal.SIGKILL)
    write(folder, {"pid": held.pid, "driver": os.getpid()})
    outcome = {}
    session = start_perf(folder, held, outcome) if mode.startswith("perf") else None
    held.release()
    if mode == "perf-killed":
        held.wait(1.0)
        os.kill(os.getpid(), signal.SIGKILL)
    held.wait()
    outcome["zombie"] = Path(f"/proc/{held.pid}/stat").read_text().rpartition(")")[2].split()[0]
    status = held.reap()
    outcome.update(status=status, user_s=held.rusage.ru_utime, finished=relay.finish())
    outcome["descriptors"] = len(os.listdir("/proc/self/fd"))
    if session is not None:
        session.stop()
        argv = Perf().script_command(session.data)
        run_tool(argv, timeout_s=60, env=ENVIRONMENT, stdout_path=folder / "script.txt")
    write(folder, outcome)
    sys.exit(status)


def start_perf(folder, held, outcome):
    able = Perf().available(Context(held.pid))
    outcome["available"] = [able.ok, able.reason, able.remedy, sorted(able.abilities)]
    options = PerfOptions(
        folder / "perf.data",
        held.pid,
        kernel="kernel" in able.abilities,
        switches="switches" in able.abilities,
        held=True,
    )
    session = PerfSession(options)
    session.enable()
    return session


def write(folder, outcome):
    unfinished = folder / "outcome.part"
    unfinished.write_text(json.dumps(outcome))
    unfinished.replace(folder / "outcome.json")


main()
