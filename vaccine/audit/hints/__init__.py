"""What the database shows of how rows are looked up: statements, function bodies, statistics."""
