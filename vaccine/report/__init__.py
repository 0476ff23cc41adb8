"""Reports: one module for each form."""
