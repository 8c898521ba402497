"""`python -m edge`: see `edge.main`."""

import sys

from agents.main import main
from edge.main import hooks

sys.exit(main(sys.argv[1:], program="edge", hooks=hooks))
