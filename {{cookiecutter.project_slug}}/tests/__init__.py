"""Tests; those marked ``shutdown`` start the real servers."""

import os
import sys

# Where Python is told to keep no bytecode, each of those servers would compile everything anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
