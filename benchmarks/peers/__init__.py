"""Peers behind one small interface; a library that is not installed is skipped."""
