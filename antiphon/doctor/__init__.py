"""What a model server can do behind this one, found out by asking it, and what would have to change."""
