"""Measurements of the program itself: rows, run in interleaved rounds, as ratios within one run."""
