"""Settlement simulator for tokenised real-world-asset bonds."""

__version__ = "0.1.0"
