"""From the outside world to a signed report. Imports no chain."""
