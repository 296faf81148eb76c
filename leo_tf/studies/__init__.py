"""Studies: many runs, planned, done once each, and compared."""
