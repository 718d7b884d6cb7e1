"""`python -m rigface` is the command `rigface`."""

import sys

from rigface.cli import main

if __name__ == "__main__":
    sys.exit(main())
