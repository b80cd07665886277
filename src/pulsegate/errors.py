"""Every error that Pulsegate raises on purpose: one base, one family for each package.

An error says what is wrong, of which resource, and what to do about it; the command line prints it as one line.
"""

from __future__ import annotations


class PulsegateError(Exception):
    """The base: ``message`` (what is wrong), ``resource`` (an id, a path, a key) and ``hint`` (what to do)."""

    exit_code = 1

    def __init__(self, message: str, *, resource: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.resource = resource
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.resource}: {self.message}" if self.resource else self.message
        return f"{text}. {self.hint}" if self.hint else text


class SettingsError(PulsegateError):
    """A setting can't be read or is wrong."""

    exit_code = 2


class UsageError(PulsegateError):
    """A command was called with words that don't fit together."""

    exit_code = 2


class UnavailableError(PulsegateError):
    """A source of pulses or packages can't be had now; worth trying again later."""


class RateLimitedError(UnavailableError):
    """A source asks to be left alone for a while. ``retry_after`` is in seconds, None when not told."""

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        resource: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, resource=resource, hint=hint)
        self.retry_after = retry_after


class TooLargeError(PulsegateError):
    """An answer of a source is larger than what is taken at once; less can be asked for."""


class OTXError(PulsegateError):
    """OTX, or the way to it, failed."""


class OTXKeyError(OTXError):
    """OTX refused the API key, or none was given."""


class OTXUnavailableError(OTXError, UnavailableError):
    """OTX can't be reached, times out or answers 5xx."""


class OTXRateLimitedError(RateLimitedError, OTXUnavailableError):
    """OTX answered 429 because of too many requests."""


class OTXAnswerError(OTXError):
    """OTX answered something that is not what its API promises (HTML, no results, a body that is too large)."""


class PulseFormatError(OTXError):
    """One pulse can't be read; it is quarantined and stops nothing else."""


class UpstreamError(PulsegateError):
    """Another TAXII server that is pulled from, or the way to it, failed."""


class UpstreamUnavailableError(UpstreamError, UnavailableError):
    """It can't be reached, times out, breaks off or answers FAILURE or 5xx."""


class UpstreamRateLimitedError(RateLimitedError, UpstreamUnavailableError):
    """It answered RETRY, or 429."""


class UpstreamTooLargeError(UpstreamError, TooLargeError):
    """Its answer is larger than what is taken at once."""


class ConversionError(PulsegateError):
    """A pulse or an indicator can't be written as STIX."""


class ContentError(PulsegateError):
    """A package that somebody sent can't be taken."""


class UnsupportedContentError(ContentError):
    """What somebody sent is of a kind or a version that is not taken."""


class ReportError(PulsegateError):
    """A file with indicators can't be read as what it is said to be."""


class StoreError(PulsegateError):
    """The database can't be opened, read or written."""


class BusyError(StoreError):
    """Another process is at work on it; nothing is wrong."""


class PublicationError(PulsegateError):
    """A publication could not be completed."""


class PublicationConflictError(PublicationError):
    """Another publisher has changed what this one planned from; it plans again."""


class OutdatedRevisionError(StoreError):
    """What a collection held at that revision is no longer kept."""


class AccountError(PulsegateError):
    """An account can't be made, found or changed."""


class RelayError(PulsegateError):
    """A bundle can't be made, or is not taken; nothing was changed."""


class RelayLocalError(RelayError):
    """A file or folder here can't be read or written; the bundle may be as good as any."""


class RelayFormatError(RelayError):
    """A file is no bundle, is damaged, or is made to do harm."""


class RelayTrustError(RelayError):
    """A bundle is signed by nobody who is trusted."""


class RelayChainError(RelayError):
    """A bundle is genuine, but doesn't continue what was taken before."""


class RelayForkError(RelayChainError):
    """A bundle is genuine, but comes from another past than what was taken; a full snapshot may begin anew."""


class RelayGapError(RelayChainError):
    """A bundle is genuine, but another one has to be taken before it."""
