"""Simulated counterparts of the adapters."""
