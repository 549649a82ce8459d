"""Contract tests: one file for each contract, market stories in the words of `kit`."""
