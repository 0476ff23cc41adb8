"""What stands in the way of a run, looked at before anything changes."""
