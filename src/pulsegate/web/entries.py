"""The fields that decisions share: why, until when."""

from __future__ import annotations

from datetime import datetime

from wtforms import StringField
from wtforms.validators import Length

from pulsegate.publication import deciding
from pulsegate.store.database import now
from pulsegate.values.text import clean_line
from pulsegate.web.forms import Form
from pulsegate.web.site import site
from pulsegate.web.words import later


class Decision(Form):
    reason = StringField(later("Reason"), [Length(max=deciding.LONGEST_REASON)])
    expires = StringField(later("Until"), [Length(max=40)])

    def end(self) -> datetime | None:
        """Until when it holds; None: for good, or the field has an error now."""
        text = (self.expires.data or "").strip()
        if not text:
            return None
        with site().database.read() as connection:
            moment = now(connection)
        try:
            return deciding.end(text, moment)
        except ValueError as error:
            self.expires.errors = [str(error)]
            return None

    def why(self) -> str:
        return clean_line(self.reason.data or "")
