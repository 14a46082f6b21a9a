"""``python -m kinfold``."""

import sys

from kinfold.cli import main

sys.exit(main())
