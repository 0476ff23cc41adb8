"""The run time of a revision. `import vaccine.operations` is the one import that a revision has; it never moves."""
