"""The programs that bpftrace runs; each says when its probes are attached, and ends with the program under study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from storeprof.collect.linux.native_functions import NativeFunction
from storeprof.collect.passes.bpftrace_output import READY

# A thread is ours when its parent is. What runs is on a CPU; what was preempted or woken waits for one; the rest is
# blocked, in the system call that it entered last (-1: in none, so by a page fault).
# State 0, or 0x100 since Linux 4.14 (R+), is that of a thread that was preempted: it waits for nothing.
_PARTITION: Final = """
tracepoint:sched:sched_process_fork /@ours[args->parent_pid]/ {
  @ours[args->child_pid] = 1; @first[args->child_pid] = nsecs; @queued[args->child_pid] = nsecs;
}
tracepoint:sched:sched_process_exit /@ours[tid]/ {
  @name[tid] = comm;
  if (@on[tid]) { @cpu[tid] = sum(nsecs - @on[tid]); }
  @on[tid] = 0; @off[tid] = 0; @queued[tid] = 0; delete(@ours[tid]);
}
tracepoint:raw_syscalls:sys_enter /@ours[tid]/ { @call[tid] = args->id + 2; @calls[args->id] = count(); }
tracepoint:raw_syscalls:sys_exit /@ours[tid]/ { @call[tid] = 1; }
tracepoint:sched:sched_switch {
  if (@ours[args->prev_pid]) {
    $prev = args->prev_pid;
    @name[$prev] = args->prev_comm;
    if (@on[$prev]) { @cpu[$prev] = sum(nsecs - @on[$prev]); @on[$prev] = 0; }
    if (args->prev_state == 0 || args->prev_state == 256) { @queued[$prev] = nsecs; } else { @off[$prev] = nsecs; }
  }
  if (@ours[args->next_pid]) {
    $next = args->next_pid;
    if (@queued[$next]) { @queue[$next] = sum(nsecs - @queued[$next]); }
    @queued[$next] = 0; @off[$next] = 0; @on[$next] = nsecs;
  }
}
tracepoint:sched:sched_waking /@off[args->pid]/ {
  $woken = args->pid;
  @blocked[$woken, @call[$woken]] = sum(nsecs - @off[$woken]);
  @off[$woken] = 0; @queued[$woken] = nsecs;
}
"""
# By device: a request's completion is seen in an interrupt, in which nobody knows whose request it was.
_BLOCK: Final = """
tracepoint:block:block_rq_issue { @issued[args->dev, args->sector] = nsecs; }
tracepoint:block:block_rq_complete /@issued[args->dev, args->sector]/ {
  @disk[args->dev, args->rwbs] = hist(nsecs - @issued[args->dev, args->sector]);
  @disk_ns[args->dev, args->rwbs] = sum(nsecs - @issued[args->dev, args->sector]);
  @disk_bytes[args->dev, args->rwbs] = sum(args->nr_sector * 512);
  delete(@issued[args->dev, args->sector]);
}
"""
_ENTRY: Final = """
uprobe:"{binary}":"{symbol}" /pid == {pid}/ {{
  @calls[{number}] = count();
  if (!@depth[tid, {number}]) {{ @start[tid, {number}] = nsecs; }}
  @depth[tid, {number}] = @depth[tid, {number}] + 1;
}}
uretprobe:"{binary}":"{symbol}" /pid == {pid} && @depth[tid, {number}]/ {{
  @depth[tid, {number}] = @depth[tid, {number}] - 1;
  if (!@depth[tid, {number}]) {{
    $took = nsecs - @start[tid, {number}];
    @latency[{number}] = hist($took); @total[{number}] = sum($took); @longest[{number}] = max($took);
    delete(@start[tid, {number}]); delete(@depth[tid, {number}]);
  }}
}}
"""


def kernel_script(tids: Sequence[int], *, partition: bool, block: bool, duration_s: float | None) -> str:
    """Wall-time partition of threads (and of those that they start), and latency of the disks."""
    begin = "".join(f" @ours[{tid}] = 1; @first[{tid}] = nsecs;" for tid in tids) if partition else ""
    clear = " clear(@ours);" if partition else ""
    clear += " clear(@issued);" if block else ""
    parts = [_begin(begin), _PARTITION if partition else "", _BLOCK if block else ""]
    return "".join([*parts, _end(tids[0], duration_s, " @end = nsecs;" + clear)])


def entries_script(functions: Sequence[NativeFunction], pid: int, duration_s: float | None) -> str:
    """Calls and latency of functions, by their number in `functions`; of recursion the outermost call is timed."""
    probes = [
        _ENTRY.format(binary=one.binary, symbol=one.symbol, pid=pid, number=number)
        for number, one in enumerate(functions)
    ]
    return "".join([_begin(""), *probes, _end(pid, duration_s, " clear(@start); clear(@depth);")])


def _begin(more: str) -> str:
    return f'BEGIN {{ printf("{READY}\\n");{more} }}\n'


def _end(pid: int, duration_s: float | None, more: str) -> str:
    """The end of the process's main thread, or of the time; a signal to bpftrace can hang."""
    end = f"tracepoint:sched:sched_process_exit /args->pid == {pid}/ {{ exit(); }}\n"
    if duration_s is not None:
        end += f"interval:ms:{max(1, round(duration_s * 1000))} {{ exit(); }}\n"
    return f"{end}END {{{more} }}\n"
