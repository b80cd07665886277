"""The air-gapped relay: signed bundles out and in."""
