"""Studies: many seeds, several worlds, one market; what `benchmark` and `sweep` run."""
