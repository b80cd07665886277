"""Files with indicators as others write them: text, CSV, STIX 1.x, MISP. Readers only; pure but for the stream."""

from pulsegate.reports.formats import Format, entries, read
from pulsegate.reports.reading import Entry, Proposed, Reading, Refusal

__all__ = ["Entry", "Format", "Proposed", "Reading", "Refusal", "entries", "read"]
