"""The story of the audit on an embedded server: the fixture database and how it is served."""
