"""The words of the domain as frozen dataclasses: pulse, indicator, collection, TLP. Standard library only."""
