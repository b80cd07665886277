"""Benchmarks: ratios measured in one run, never asserted. ``python -m bench [NAME]… [--size N]``."""
