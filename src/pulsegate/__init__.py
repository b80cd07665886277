"""Pulsegate: a self-hosted TAXII 1.1 server that republishes AlienVault OTX pulses."""

__version__ = "0.1.0"
