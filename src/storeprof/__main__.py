"""`python -m storeprof` is the command `storeprof`."""

import sys

from storeprof.cli.main import main

sys.exit(main())
