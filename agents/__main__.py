"""`python -m agents`: see `agents.main`."""

import sys

from agents.main import main

sys.exit(main(sys.argv[1:]))
