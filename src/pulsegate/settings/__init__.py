"""Settings: the section ``pulsegate:`` of opentaxii.yml and the environment, read into one typed object."""

from pulsegate.settings.load import find_file, load
from pulsegate.settings.schema import (
    CollectionSettings,
    OTXSettings,
    RuleSettings,
    Settings,
    TAXIISettings,
    TLSSettings,
)

__all__ = [
    "CollectionSettings",
    "OTXSettings",
    "RuleSettings",
    "Settings",
    "TAXIISettings",
    "TLSSettings",
    "find_file",
    "load",
]
