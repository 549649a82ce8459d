"""Oracle nodes as processes: keys, journal, messages, server, sources. Imports no chain."""
