"""What verified matches tell of a collection: which photos show the same thing."""
