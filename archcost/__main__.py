"""`python -m archcost`."""

import sys

from archcost.cli import main

sys.exit(main())
