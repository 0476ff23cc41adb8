"""The fix for a writer: as text, or as a patch of its file."""
