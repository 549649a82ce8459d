"""One protocol or file format per module; each yields meter readings."""
