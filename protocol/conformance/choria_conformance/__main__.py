"""``python -m choria_conformance``."""

import sys

from choria_conformance.cli import main

if __name__ == "__main__":
    sys.exit(main())
