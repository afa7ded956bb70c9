"""What the live view costs: CPU time of `storeprof top` in percent of one core, samplers and drawing together.

    python benchmarks/top_cost.py [--seconds 20] [--warm-up 10]

It runs in a tmux window of 80 x 24 over the embedded engine with two client threads, and over a program with 32 threads
of which four compute. Printed per program: percent of one core while it draws, by its threads.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ENGINE = "-m storeprof.workload.run tsdb --workload mixed --duration 600 --threads 2 --dir DATA --seed 1"
MANY = """-c "
import threading, time
def work(n):
    while True:
        sum(range(2000)) if n < 4 else time.sleep(0.01)
[threading.Thread(target=work, args=(n,)).start() for n in range(32)]
" """
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def tmux(*arguments):
    """Run tmux with a server of our own."""
    subprocess.run(["tmux", "-L", f"storeprof-top-cost-{os.getpid()}", "-f", "/dev/null", *arguments], check=True)


def cpu_s(pid):
    """CPU seconds of each thread of a process."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name, fields = (task / "comm").read_text().strip(), (task / "stat").read_text().rsplit(")", 1)[1].split()
        found[task.name] = (name, (int(fields[11]) + int(fields[12])) * TICK_S)
    return found


def pid_of_view(folder):
    """The process that `exec` left under the number the shell had."""
    return int((folder / "pid").read_text())


def measure(name, program, options):
    """Percent of one core over `options.seconds`."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        command = f"{sys.executable} -m storeprof top -- {sys.executable} {program.replace('DATA', text + '/data')}"
        tmux("new-session", "-d", "-x", "80", "-y", "24", "-c", text, f"echo $$ > pid; exec {command}")
        try:
            time.sleep(options.warm_up)
            pid = pid_of_view(folder)
            before, started = cpu_s(pid), time.monotonic()
            time.sleep(options.seconds)
            after, took = cpu_s(pid), time.monotonic() - started
        finally:
            tmux("send-keys", "q")
            time.sleep(6)
            subprocess.run(
                ["tmux", "-L", f"storeprof-top-cost-{os.getpid()}", "kill-server"], check=False, capture_output=True
            )
    spent = {task: (row[0], row[1] - before.get(task, ("", 0.0))[1]) for task, row in after.items()}
    parts = ", ".join(f"{thread} {100 * s / took:.2f}" for thread, s in spent.values() if s)
    print(f"{name}: {100 * sum(s for _, s in spent.values()) / took:.2f} % of one core ({parts})", flush=True)


def main():
    """Measure both programs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--warm-up", type=float, default=10.0)
    options = parser.parse_args()
    measure("engine with two client threads", ENGINE, options)
    measure("32 threads, four of them computing", MANY, options)


if __name__ == "__main__":
    main()
