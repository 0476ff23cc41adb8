"""Source files → calls that write or look up, by rules that are data."""
