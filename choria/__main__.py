"""``python -m choria`` is ``choria-trio``."""

import sys

from choria.cli import main

sys.exit(main())
