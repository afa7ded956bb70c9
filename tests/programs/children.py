"""A parent and its children, for the tests of how a process tree is observed: `children.py ROLE [ARG...]`."""

import multiprocessing
import os
import subprocess
import sys
import time

SECONDS = float(os.environ.get("RUN_SECONDS", "2"))


def grind():
    """Work that is easy to find in a profile."""
    end = time.monotonic() + SECONDS
    count = 0
    while time.monotonic() < end:
        count += scan(2000)
    return count


def scan(size):
    total = 0
    for i in range(size):
        total += i * i % 7
    return total


def under(python):
    """Run the work under another interpreter."""
    subprocess.run([python, __file__, "grind"], check=True)


def short(count):
    """Start children that live for a moment, one after another."""
    for _ in range(int(count)):
        subprocess.run([sys.executable, "-S", "-c", "sum(range(200_000))"], check=True)


def daemon(pid_file):
    """Leave a daemon behind, by two forks, and a zombie meanwhile."""
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in range(3):
                os.dup2(null, descriptor)
            with open(pid_file, "w", encoding="ascii") as file:
                file.write(str(os.getpid()))
            while os.path.exists(pid_file):
                scan(2000)
        os._exit(0)  # the first child stays a zombie: nobody waits for it
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(0.05)


def probed():
    """Count operations in two forked workers, which say how many."""
    from storeprof import profile_operation

    @profile_operation("put")
    def put():
        scan(200)

    def work(answers):
        end = time.monotonic() + SECONDS
        done = 0
        while time.monotonic() < end:
            put()
            done += 1
        answers.put(done)

    put()  # the parent has a block of its own already
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    workers = [context.Process(target=work, args=(answers,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    total = 1 + sum(answers.get() for _ in workers)
    for worker in workers:
        worker.join()
    print("puts", total)


def hold():
    """Have a child that works, say so, and wait for the end of the input."""
    with subprocess.Popen([sys.executable, __file__, "grind"], env=os.environ | {"RUN_SECONDS": "60"}) as child:
        print("ready", flush=True)
        sys.stdin.read()
        child.kill()


if __name__ == "__main__":
    ROLES = {"grind": grind, "under": under, "short": short, "daemon": daemon, "probed": probed, "hold": hold}
    ROLES[sys.argv[1]](*sys.argv[2:])
