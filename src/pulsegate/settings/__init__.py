"""Settings: the section ``pulsegate:`` of opentaxii.yml and the environment, read into one typed object."""

from pulsegate.settings.collections import CollectionSettings, RuleSettings
from pulsegate.settings.lists import ListFileSettings, ListSettings
from pulsegate.settings.load import find_file, load
from pulsegate.settings.relay import RelaySettings
from pulsegate.settings.schema import Settings
from pulsegate.settings.service import MetricsSettings, PagesSettings, TAXIISettings, TLSSettings
from pulsegate.settings.sources import AlarmSettings, OTXSettings, PullSettings, SourceSettings, UpstreamSettings

__all__ = [
    "AlarmSettings",
    "CollectionSettings",
    "ListFileSettings",
    "ListSettings",
    "MetricsSettings",
    "OTXSettings",
    "PagesSettings",
    "PullSettings",
    "RelaySettings",
    "RuleSettings",
    "Settings",
    "SourceSettings",
    "TAXIISettings",
    "TLSSettings",
    "UpstreamSettings",
    "find_file",
    "load",
]
