"""Writers seen: by the database, or in source code; as evidence of a finding."""
