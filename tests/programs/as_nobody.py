"""The command line of storeprof, as the user nobody: its modules are loaded while they can still be read."""

import importlib
import os
import pkgutil
import sys

import storeprof
from storeprof.cli.main import main

for module in pkgutil.walk_packages(storeprof.__path__, "storeprof."):
    if not module.name.endswith(("__main__", "_allocation_hook", "sitecustomize")):  # a library, and a start-up file
        importlib.import_module(module.name)
importlib.import_module("rich.table")
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
sys.exit(main())
