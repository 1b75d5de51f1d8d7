"""Tests; those marked ``shutdown`` start the real servers."""
