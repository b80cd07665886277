"""Pulling: OTX (or files) -> clean -> store -> publish."""
