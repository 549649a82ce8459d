"""`python -m rwa_sim`: the command line, where its script is not on the path."""

from rwa_sim.cli import main

main()
