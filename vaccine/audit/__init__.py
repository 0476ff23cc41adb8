"""Catalog → findings: which logical keys nothing guards, with evidence, ranked. Reads only."""
