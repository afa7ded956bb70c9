"""CPU samples and the stacks of waits, by perf, attached to a process by pid.

Two events share one `perf record`: cpu-clock at a fixed frequency, and, where the kernel permits,
sched_switch limited to switches that block and to a few a second and thread (the frequency of a tracepoint
adapts for each inherited thread; every sample's period says how many switches it stands for). Tracepoints
take no `freq=` term, so the global -F is theirs and cpu-clock overrides it. Where the program or a library keeps no
frame pointers (Debian's libc, libstdc++ and CPython), stacks are unwound after the run from a copy of the stack's top
("dwarf"); frame_pointers.py measures which.
"""

import os
import select
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NoReturn

from storeprof.collect.collector import Availability, Context
from storeprof.collect.installing import installed
from storeprof.collect.linux.frame_pointers import CallGraph
from storeprof.collect.linux.native_samples import NativeSamples
from storeprof.collect.linux.perf_script import parse_perf_script
from storeprof.collect.output_relay import open_pipe
from storeprof.collect.tool_process import BackgroundTool, run_tool
from storeprof.errors import CollectorError

# Prime to the scheduler's tick of 100, 250 or 1000 Hz.
CPU_HZ: Final = 199
SWITCH_HZ: Final = 49
# What two events on a thread add to each of its context switches, measured on a program that does little else
# (0.85 µs for cpu-clock alone): a program that switches often is kept within its budget by pausing.
SWITCH_COST_NS: Final = 1_000
# What one sample costs the thread, with a virtual machine's dear timer interrupts.
SAMPLE_COST_NS: Final = 20_000
# Deep enough for the write paths of the engines tried; a copy costs about a microsecond.
STACK_BYTES: Final = 8192
MAX_DATA: Final = "1G"
# Root may lock memory; an ordinary user's default of 516 KiB a CPU is just what perf takes by itself.
ROOT_BUFFER: Final = "1M"
# The user's own ~/.perfconfig could change the call graph or the buffers.
ENVIRONMENT: Final[Mapping[str, str]] = {"PERF_CONFIG": "/dev/null"}
SCRIPT_FIELDS: Final = "comm,pid,tid,time,period,event,ip,sym,symoff,dso,trace"
PARANOID: Final = Path("/proc/sys/kernel/perf_event_paranoid")
READY_TIMEOUT_S: Final = 10.0
_HANGS: Final[set[str]] = set()


@dataclass(frozen=True, slots=True)
class PerfOptions:
    """What to record: `data` is the file to write, `pid` the process (its threads and future children come with it).

    `others` are processes that run already and are recorded too.

    `kernel` includes kernel frames, `switches` the stacks of blocking switches: take both from the abilities
    that `available` reports. `control` holds the descriptors for commands and acknowledgements, None without
    them.
    """

    data: Path
    pid: int
    others: tuple[int, ...] = ()
    call_graph: CallGraph = "dwarf"
    kernel: bool = True
    switches: bool = True
    cpu_hz: int = CPU_HZ
    stack_bytes: int = STACK_BYTES
    held: bool = False
    control: tuple[int, int] | None = None


_HANGING: Final = Availability(
    False, f"perf hangs: no answer within {READY_TIMEOUT_S:.0f} s", "see what `perf stat -- true` says"
)


class Perf:
    """The collector `perf`: native stacks on the CPU and, where permitted, of threads that block.

    Abilities: "cpu" (own code), "kernel" (kernel frames), "switches" (stacks of waits), "counters"
    (the processor's cycles and cache misses can be read).
    """

    name = "perf"

    def available(self, context: Context) -> Availability:
        """Try to count what `command` would sample, the most first (15 to 60 ms)."""
        path = shutil.which("perf")
        if path is None:
            return installed("perf")
        if path in _HANGS:
            return _HANGING
        attempts = [("cpu-clock:k", {"cpu", "kernel"}), ("cpu-clock:u", {"cpu"})]
        if os.geteuid() == 0 or _paranoid() < 0:  # counting a tracepoint is allowed more widely than sampling it
            attempts.insert(0, ("cpu-clock:k,sched:sched_switch", {"cpu", "kernel", "switches"}))
        said = ""
        for events, abilities in attempts:
            result = run_tool(["perf", "stat", "-e", events, "--", "true"], timeout_s=READY_TIMEOUT_S, env=ENVIRONMENT)
            if result.timed_out:  # three collectors ask: nobody waits for the same silence again
                _HANGS.add(path)
                return _HANGING
            said = result.stderr.decode(errors="replace")
            if result.status == 0 and "<not supported>" not in said:
                return _permitted(frozenset(abilities | _counters()))
        return _refused(said)

    def command(self, options: PerfOptions) -> list[str]:
        """Build `perf record` for one process; its output ends up in `options.data`."""
        pids = ",".join(map(str, (options.pid, *options.others)))
        argv = ["perf", "record", "-o", str(options.data), "-p", pids, "-k", "CLOCK_MONOTONIC"]
        # Without build ids perf need not read its whole file again before it ends; with BPF events it takes a
        # second longer to end.
        argv += ["--no-buildid", "--no-bpf-event", "--max-size", MAX_DATA]
        # For all events together, not as a term of each: perf 6.1 with `-D -1` records mappings by a dummy
        # event without terms, and would leave out the read-only ones, where the unwind tables are.
        dwarf = options.call_graph == "dwarf"
        argv += ["--call-graph", f"dwarf,{options.stack_bytes}" if dwarf else "fp"]
        cpu_clock = f"cpu-clock/freq={options.cpu_hz}/{'' if options.kernel else 'u'}"
        argv += ["-F", str(SWITCH_HZ), "-e", cpu_clock]
        if options.switches:
            # A thread that was preempted (state 0, or 0x100 since Linux 4.14: R+) waits for nothing.
            argv += ["-e", "sched:sched_switch", "--filter", "prev_state != 0 && prev_state != 256"]
        if options.held:
            # What is mapped before exec must stay unknown: perf never forgets it, and would unwind a library
            # that both programs map at the wrong address.
            argv += ["--synth=no"]
        if os.geteuid() == 0:
            argv += ["-m", ROOT_BUFFER]
        if options.control is not None:
            argv += ["-D", "-1", "--control", "fd:{},{}".format(*options.control)]
        return argv

    def script_command(self, data: Path) -> list[str]:
        """Build the `perf script` whose text `parse` reads."""
        argv = ["perf", "script", "--force", "-i", str(data), "-F", SCRIPT_FIELDS]
        return [*argv, "--ns", "--no-inline", "--show-lost-events"]

    def parse(self, output: Iterable[bytes]) -> NativeSamples:
        """Turn the lines of `perf script` into tables; CollectorError names the line it can't read."""
        return parse_perf_script(output)


class PerfSession:
    """One `perf record` beside the program: start (disabled), `enable`, `stop`.

    Raises CollectorError when perf does not get ready; perf is gone then.
    """

    def __init__(self, options: PerfOptions) -> None:
        commands, self._commands = open_pipe()
        self._answers, answers = open_pipe()
        self.data = options.data
        try:
            self._tool = BackgroundTool(
                Perf().command(replace(options, control=(commands, answers))),
                options.data.with_name(options.data.name + ".stderr"),
                # Our ends as well: when they closed because we were killed, perf 6.1 would give its file up.
                pass_fds=(commands, answers, self._commands, self._answers),
                env=ENVIRONMENT,
            )
        except CollectorError:
            self._close()
            raise
        finally:
            os.close(commands)
            os.close(answers)

    def enable(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Begin to sample; returns when perf has confirmed it, so that the program can be released."""
        self._tell(b"enable\n", timeout_s)

    def disable(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Pause until the next `enable`: while enabled, each context switch costs `SWITCH_COST_NS`."""
        self._tell(b"disable\n", timeout_s)

    def stop(self, timeout_s: float = 30.0) -> None:
        """Let perf complete its file; harmless when it ended with the program. Raises CollectorError."""
        status = self._tool.stop(timeout_s)
        self._close()
        # 130 is perf's own SIGINT on its way out: the file is complete then.
        if status not in {0, 130} or not self.data.exists():
            raise CollectorError(f"perf record failed (status {status}): {_last_line(self._tool.stderr())}")

    def _tell(self, command: bytes, timeout_s: float) -> None:
        try:
            os.write(self._commands, command)
        except BrokenPipeError:
            self._fail()
        deadline = time.monotonic() + timeout_s
        answer = b""
        while b"ack" not in answer:
            remaining = max(0.0, deadline - time.monotonic())
            if not select.select([self._answers], [], [], remaining)[0]:
                self._fail()
            piece = os.read(self._answers, 64)
            if not piece:
                self._fail()
            answer += piece

    def _fail(self) -> NoReturn:
        self._tool.stop(timeout_s=1.0)
        self._close()
        raise CollectorError(f"perf record did not get ready: {_complaint(self._tool.stderr())}")

    def _close(self) -> None:
        for fd in (self._commands, self._answers):
            if fd >= 0:
                os.close(fd)
        self._commands = self._answers = -1


def _counters() -> set[str]:
    """{"counters"} where the processor's own counters may be read; virtual machines often have none."""
    events = ["perf", "stat", "-e", "cycles:u,cache-misses:u", "--", "true"]
    result = run_tool(events, timeout_s=READY_TIMEOUT_S, env=ENVIRONMENT)
    counted = result.status == 0 and b"<not " not in result.stderr
    return {"counters"} if counted else set()


def _permitted(abilities: frozenset[str]) -> Availability:
    if "switches" in abilities:
        return Availability(True, abilities=abilities)
    missing = "stacks of waits" if "kernel" in abilities else "kernel frames and stacks of waits"
    return Availability(
        True,
        f"no {missing}: kernel.perf_event_paranoid is {_paranoid()} and we are not root",
        "run as root, or set sysctl kernel.perf_event_paranoid=-1 and make /sys/kernel/tracing readable",
        abilities,
    )


def _refused(said: str) -> Availability:
    if os.geteuid() == 0 and ("ermission" in said or "not permitted" in said or "not allowed" in said):
        return Availability(
            False,
            "perf_event_open is not permitted although we are root (a container's seccomp profile, or no CAP_PERFMON)",
            "in a container: --cap-add PERFMON, or --security-opt seccomp=unconfined",
        )
    if "perf_event_paranoid" in said or "ermission" in said or "not permitted" in said or "limited" in said:
        return Availability(
            False,
            f"perf may not be used by this user: kernel.perf_event_paranoid is {_paranoid()}",
            "set sysctl kernel.perf_event_paranoid=2 or lower (in a container also allow perf_event_open)",
        )
    return Availability(False, f"perf record fails here: {_last_line(said)}", "see what `perf record -- true` says")


def _complaint(said: str) -> str:
    """What perf says in one line; its advice on permissions is twenty."""
    return "it may not look at this process" if "perf_event_paranoid" in said else _last_line(said)


def _paranoid() -> int:
    try:
        return int(PARANOID.read_text())
    except (OSError, ValueError):
        return 2


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
