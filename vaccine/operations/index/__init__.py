"""The unique index: build it under traffic, watch it, gate it, verify it, drop it."""
