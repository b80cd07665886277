"""The fields that decisions share: why, until when."""

from __future__ import annotations

from datetime import datetime

from flask import request
from wtforms import StringField
from wtforms.validators import Length

from pulsegate.model.decisions import LONGEST_REASON
from pulsegate.reports import fields
from pulsegate.values.text import clean_line
from pulsegate.web.forms import Form
from pulsegate.web.words import later


class Why(Form):
    reason = StringField(later("Reason"), [Length(max=LONGEST_REASON)])

    def why(self) -> str:
        return clean_line(self.reason.data or "")


class Decision(Why):
    expires = StringField(later("Until"), [Length(max=40)])

    @property
    def shown(self) -> str:
        """What its effect depends on, for the address that the decision is sent to."""
        raise NotImplementedError

    def is_another(self) -> bool:
        """Whether it was changed since its effect was shown: then that has to be shown anew."""
        return request.args.get("shown", self.shown) != self.shown

    def end(self, moment: datetime) -> datetime | None:
        """Until when it holds, as of the moment; None: for good, or the field has an error now."""
        text = (self.expires.data or "").strip()
        if not text:
            return None
        try:
            return fields.until(text, moment)
        except ValueError as error:
            self.expires.errors = [str(error)]
            return None
