"""The market's rules as pure functions: no I/O, no clock, no floats for money."""
