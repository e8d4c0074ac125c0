"""Secrets out of texts: the one function that everything ctx writes or shows of others' words goes through.

`redact_secrets` looks in three steps, each only where the one before saw a reason: the bytes (`secret_hints`), ctx's
own forms (`secret_rules`), and `detect-secrets`, a maintained detector, whose import alone takes 90 to 270 ms. Nothing
is ever verified over a network: of the detector only its expressions are used. docs/decisions/017-secret-detector.md
says why it is this one.
"""

from __future__ import annotations

from ..domain.secret_hints import ELLIPSIS, MARK, may_hold_secret

TYPE_CHECKING = False  # importing `typing` for it would double what this module costs at start
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..domain.secret_text import Span

_PASSES_MAX = 8
"""A mark may part what was one word before: a text is looked at until there is nothing new."""

# The detector's plugins by module. Left out: those that take any hash for a secret or any address for private, and the
# one that takes a key's first line for the key (ctx takes all lines).
_PRECISE = (
    "aws:AWSKeyDetector",
    "azure_storage_key:AzureStorageKeyDetector",
    "cloudant:CloudantDetector",
    "discord:DiscordBotTokenDetector",
    "github_token:GitHubTokenDetector",
    "gitlab_token:GitLabTokenDetector",
    "ibm_cloud_iam:IbmCloudIamDetector",
    "ibm_cos_hmac:IbmCosHmacDetector",
    "jwt:JwtTokenDetector",
    "mailchimp:MailchimpDetector",
    "npm:NpmDetector",
    "openai:OpenAIDetector",
    "pypi_token:PypiTokenDetector",
    "sendgrid:SendGridDetector",
    "slack:SlackDetector",
    "softlayer:SoftlayerDetector",
    "square_oauth:SquareOAuthDetector",
    "stripe:StripeDetector",
    "telegram_token:TelegramBotTokenDetector",
    "twilio:TwilioKeyDetector",
)
_STRICT = ("artifactory:ArtifactoryDetector", "basic_auth:BasicAuthDetector", "keyword:KeywordDetector")
_LINE_CHARS_MAX = 1_000
"""The detector's expressions take quadratic time on some lines; what is longer is generated."""
_SECRET_CHARS_MIN = 4


def redact_secrets(text: str, *, is_source: bool = False) -> str:
    """Return the text with `[REDACTED:<kind>]` in place of each secret; as many lines as before.

    Without `is_source` whatever may be a secret is one: for telemetry, logs and messages. With it a secret is what
    surely looks like one: for source text, which an agent has to work with.

    Redact first and cut then: what is left of half a secret is no secret by its form.
    """
    if not (is_source and ELLIPSIS in text) and not may_hold_secret(text.encode("utf-8", "surrogatepass")):
        return text
    from ..domain.secret_rules import is_doubtful, marked, spans

    for _ in range(_PASSES_MAX):
        found = spans(text, is_strict=not is_source)
        if not found and is_doubtful(text, is_strict=not is_source):
            found = _detected(text, is_strict=not is_source)
        if not found:
            break
        text = marked(text, found)
    return text


def redact_value(text: str, key: str) -> str:
    """Return the text as `redact_secrets` does; as the value of a key such as "password" it is all secret."""
    if key and text and may_hold_secret(b'"%b":"' % key.encode("utf-8", "surrogatepass")):
        from ..domain.secret_rules import is_secret_name

        if is_secret_name(key) and not text.startswith(MARK):
            return f"{MARK}credential]"
    return redact_secrets(text)


def redact_source(text: str) -> str:
    """Return source text with its secrets marked."""
    return redact_secrets(text, is_source=True)


class SourceRedactor:
    """Implements `SecretRedactor`; `is_off` is for who asked at a terminal to see everything.

    `has_marked` tells whether anything was marked since it was made.
    """

    def __init__(self) -> None:
        """Load nothing yet."""
        self.is_off = False
        self.has_marked = False

    def __call__(self, text: str) -> str:
        """Return the text with its secrets marked."""
        return text if self.is_off else self._noted(text, redact_source(text))

    def line(self, text: str) -> str:
        """Return a line with its secrets marked, and with what may be a part of one."""
        shown = self(text)
        if self.is_off or not (ELLIPSIS in text or may_hold_secret(text.encode("utf-8", "surrogatepass"))):
            return shown
        from ..domain.secret_rules import cut_line_spans, marked

        return self._noted(text, marked(shown, cut_line_spans(shown)))

    def _noted(self, text: str, shown: str) -> str:
        self.has_marked = self.has_marked or shown != text
        return shown


class _Detector:
    """The plugins, made when the first text needs them."""

    plugins: tuple[tuple[Any, str, bool], ...] | None = None


def _plugins() -> tuple[tuple[Any, str, bool], ...]:
    """Return (plugin, kind, whether it is for strict looks only)."""
    if _Detector.plugins is None:
        from importlib import import_module

        try:
            made = []
            for name in (*_PRECISE, *_STRICT):
                module, _, plugin = name.partition(":")
                found = getattr(import_module(f"detect_secrets.plugins.{module}"), plugin)()
                made.append((found, module.replace("_", "-"), name in _STRICT))
            _Detector.plugins = tuple(made)
        except (ImportError, AttributeError):  # a broken installation must not let a command fail
            _Detector.plugins = ()
    return _Detector.plugins


def _detected(text: str, *, is_strict: bool) -> list[Span]:
    """Return what the detector finds, line by line."""
    from ..domain.secret_rules import is_doubtful
    from ..domain.secret_text import Span

    found = []
    start = 0
    for line in text.split("\n"):
        if is_doubtful(line, is_strict=is_strict):
            for secret, kind in _found_in(line[:_LINE_CHARS_MAX], is_strict=is_strict):
                at = line.find(secret)
                if at >= 0 and MARK not in secret and not secret.startswith(MARK[1:-1]):
                    found.append(Span(start + at, start + at + len(secret), kind))
        start += len(line) + 1
    found.sort()
    return [span for number, span in enumerate(found) if not number or span.start >= found[number - 1].end]


def _found_in(line: str, *, is_strict: bool) -> Iterable[tuple[str, str]]:
    for plugin, kind, is_for_strict in _plugins():
        if is_strict or not is_for_strict:
            for secret in plugin.analyze_string(line):
                found = secret.strip(" \t\"'=:")  # some expressions take what is around it, too
                if len(found) >= _SECRET_CHARS_MIN:
                    yield found, "credential" if is_for_strict else kind
