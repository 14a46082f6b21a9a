"""Which cells there are, and which lie nearest."""
