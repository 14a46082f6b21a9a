"""What proposes rows to look at."""
