"""Files to pixels: find, decode, turn upright, resize. See docs/architecture.md."""
