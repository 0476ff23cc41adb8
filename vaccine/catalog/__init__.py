"""The structure of a database: read in a fixed number of queries, kept as frozen data."""
