"""What bytes stand for a vector in its cell."""
