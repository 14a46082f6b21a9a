"""Everything that changes a gallery: one writer at a time, the manifest last."""
