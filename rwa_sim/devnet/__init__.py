"""A whole oracle network on this machine: site, gateway, broker, nodes, aggregator, relay, chain, and a bank.

The processes are the real ones, each with its own files; only the devices, the bank and the clock are
simulated. Some are killed on the way, and at the end the chain is held against the devices' registers.
"""
