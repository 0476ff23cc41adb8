"""Finding → Vaccination: reads one table and its duplicates, and says all that would happen. Writes nothing."""
