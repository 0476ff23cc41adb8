"""The rows: find the duplicates, resolve them, restore them, and the journal of both."""
