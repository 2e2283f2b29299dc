"""`python -m geojax.cli`."""

import sys

from geojax.cli import main

if __name__ == "__main__":
    sys.exit(main())
