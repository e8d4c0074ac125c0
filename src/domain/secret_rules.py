r"""What secrets look like: the second, precise look, by regular expressions of the standard library.

Two ways to look. *Strict* is for what ctx writes down (telemetry, logs): `password=anything` is one, and so is a run of
characters that looks random. *Precise* is for source text that is shown: a secret is what has the form of one, or a
literal that looks like one behind a name that announces one; `password = get_password()`, `token: str = ""` and
`"changeme"` are none. Hashes (hexadecimal digits alone) are secrets only behind such a name.

`spans` finds them; `is_doubtful` tells whether a maintained detector should be asked about what is left. The formats of
keys are those that their issuers document. Pure; `re` is imported here and not by `secret_hints`.
"""

from __future__ import annotations

import re
from typing import NamedTuple, cast

from .secret_hints import BASE64_LENGTH, MARK, RUN_LENGTH, folded_runs


class _Lazy:
    """Stands for a pattern that is compiled when it is first used: all of them at once would take 15 ms."""

    def __init__(self, expression: str, flags: int) -> None:
        self._expression = expression
        self._flags = flags

    def __getattr__(self, name: str) -> object:
        compiled = re.compile(self._expression, self._flags)
        for method in ("finditer", "findall", "fullmatch", "match", "search", "sub"):
            setattr(self, method, getattr(compiled, method))
        return getattr(compiled, name)


def _pattern(expression: str, flags: int = 0) -> re.Pattern[str]:
    return cast("re.Pattern[str]", _Lazy(expression, flags))


_MARKED = _pattern(r"\[REDACTED:[a-z0-9-]{1,40}\]")


class Span(NamedTuple):
    """Where a secret is in a text, and which kind it is."""

    start: int
    end: int
    kind: str


class _Form(NamedTuple):
    """A kind of key: the texts one of which it holds, its expression, and whether only a strict look takes it."""

    kind: str
    anchors: tuple[str, ...]
    pattern: re.Pattern[str]
    is_strict: bool = False


def _form(kind: str, anchors: str, expression: str, *, is_strict: bool = False) -> _Form:
    """Return a form; every key it matches has a run that `secret_hints` sees."""
    return _Form(
        kind,
        tuple(anchors.split(" ")),
        _pattern(rf"(?<![A-Za-z0-9])(?:{expression})", re.ASCII),
        is_strict,
    )


_RUN = rf"(?=[\w+-]{{{RUN_LENGTH}}})"
_FORMS = (
    _form(
        "aws",
        "AKIA ASIA AGPA AIDA AROA AIPA ANPA ANVA ABIA ACCA",
        r"A(?:KIA|SIA|GPA|IDA|ROA|IPA|NPA|NVA|BIA|CCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    ),
    _form("github", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{30,}"),
    _form("github", "github_pat_", r"github_pat_\w{20,}"),
    _form(
        "gitlab",
        "glpat- gldt- glft- glsoat- glrt- glcbt- glimt- glptt- glagent- gloas- glffct-",
        r"gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas|ffct)-[\w.-]{20,}",
    ),
    _form("gitlab", "GR1348941", r"GR1348941[\w-]{20,}"),
    _form("slack", "xox xapp-", r"(?:xox[abeoprs]|xapp)-(?=[A-Za-z0-9-]{15})(?=[^ ]{0,12}[0-9])[A-Za-z0-9-]{15,}"),
    _form("slack", "hooks.slack.com", r"https?://hooks\.slack\.com/(?:services|workflows|triggers)/[\w/-]{20,}"),
    _form("discord", "/api/webhooks/", r"https?://[\w.]*discord(?:app)?\.com/api/webhooks/\d{5,}/[\w-]{20,}"),
    _form(
        "teams",
        ".office.com/webhook .logic.azure.com",
        r"https?://[\w.-]+\.(?:webhook\.office\.com/webhookb?2?/|logic\.azure\.com(?::\d+)?/)(?=[^\s\"'<>]*[\w+-]{20})[^\s\"'<>]+",
    ),
    _form("stripe", "k_live_ k_test_", r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    _form("stripe", "whsec_", r"whsec_[A-Za-z0-9+/=]{24,}"),
    _form("anthropic", "sk-ant-", r"sk-ant-[\w-]{20,}"),
    _form("openai", "T3BlbkFJ", r"sk-[\w-]*T3BlbkFJ[\w-]{10,}"),
    _form(
        "openai",
        "sk-proj- sk-svcacct- sk-admin- sk-or-",
        r"sk-(?:proj|svcacct|admin|or)-(?=[\w-]*[0-9])(?=[\w-]*[A-Z])[\w-]{20,}",
    ),
    _form("openai", "sk-", r"sk-(?=[a-z]*[A-Z0-9])(?=[A-Za-z]*[0-9])[A-Za-z0-9]{32,}"),
    _form("google", "AIza", r"AIza[\w-]{35}"),
    _form("google", "ya29.", r"ya29\.[\w-]{20,}(?:\.[\w-]+)*"),
    _form("google", "GOCSPX-", r"GOCSPX-[\w-]{20,}"),
    _form("npm", "npm_", r"npm_(?=[A-Za-z]*[0-9])[A-Za-z0-9]{36}"),
    _form("pypi", "pypi-AgE", r"pypi-AgE[\w-]{20,}"),
    _form("sendgrid", "SG.", r"SG\.[\w-]{16,32}\.[\w-]{20,}"),
    _form("twilio", "SK AC", r"(?:SK|AC)[0-9a-f]{32}(?![A-Za-z0-9])"),
    _form("mailchimp", "-us", r"[0-9a-f]{32}-us\d{1,2}(?![A-Za-z0-9])"),
    _form("mailgun", "key-", r"key-[0-9a-f]{32}(?![A-Za-z0-9])"),
    _form("square", "sq0", r"sq0(?:atp|csp|idp)-[\w-]{22,}"),
    _form("square", "EAAA", r"EAAA[\w-]{60}(?![\w/+-])"),
    _form("shopify", "shpat_ shpca_ shppa_ shpss_", r"shp(?:at|ca|pa|ss)_[0-9A-Fa-f]{32}"),
    _form("digitalocean", "_v1_", r"do[opr]_v1_[0-9a-f]{64}"),
    _form("databricks", "dapi", r"dapi[0-9a-f]{32}(?:-\d)?"),
    _form("dropbox", "sl.", r"sl\.(?:u\.)?[\w-]{60,}"),
    _form("discord", ".", r"[MNO][A-Za-z\d_-]{23,27}\.[\w-]{6}\.[\w-]{27,45}(?![\w-])"),
    _form("telegram", ":AA", r"\d{8,10}:AA[\w-]{33}(?![\w-])"),
    _form("huggingface", "hf_", r"hf_(?=[a-z]*[A-Z])[A-Za-z0-9]{30,}"),
    _form("linear", "lin_api_", r"lin_api_[A-Za-z0-9]{32,}"),
    _form("notion", "ntn_ secret_", r"(?:ntn_|secret_)(?=[A-Za-z]*[0-9])[A-Za-z0-9]{40,}"),
    _form("grafana", "glc_ glsa_", r"gl(?:c|sa)_(?=[\w+]{20})[\w+/=]{32,}"),
    _form("newrelic", "NRAK-", r"NRAK-[A-Z0-9]{27}"),
    _form("postman", "PMAK-", r"PMAK-[A-Za-z0-9-]{24,}"),
    _form("pulumi", "pul-", r"pul-[0-9a-f]{40}"),
    _form("vault", "hvs. hvb. hvr.", r"hv[sbr]\.[\w-]{24,}"),
    _form("terraform", ".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[\w=-]*[\w-]{20,}"),
    _form("doppler", "dp.", r"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[\w-]+\.)?[A-Za-z0-9]{40,}"),
    _form("age", "AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[0-9A-Z]{30,}"),
    _form("atlassian", "ATATT3 ATCTT3", r"AT[AC]TT3[\w-]{20,}[\w=-]*"),
    _form("figma", "figd_", r"figd_[\w-]{30,}"),
    _form("planetscale", "pscale_", r"pscale_(?:tkn|pw|oauth)_[\w.=-]*[\w-]{20,}"),
    _form("supabase", "sbp_", r"sbp_[0-9a-f]{40}"),
    _form("artifactory", "AKCp", r"AKCp[A-Za-z0-9]{40,}"),
    _form("rubygems", "rubygems_", r"rubygems_[0-9a-f]{48}"),
    _form("sentry", "sntryu_ sntrys_", r"sntry[us]_[\w+/-]{40,}=*"),
    _form("sonar", "squ_ sqp_ sqa_", r"sq[upa]_[0-9a-f]{40}"),
    _form("buildkite", "bkua_", r"bkua_[0-9a-f]{40}"),
    _form("langsmith", "lsv2_", r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
    _form("airtable", "pat", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    _form("flutterwave", "FLWSECK", r"FLWSECK(?:_TEST)?-[0-9a-f]{32}-X"),
    _form("launchdarkly", "sdk-", r"sdk-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    _form("hubspot", "pat-na1- pat-eu1-", r"pat-(?:na|eu)1-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    _form("braintree", "access_token$", r"access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32}"),
    _form("groq", "gsk_", r"gsk_(?=[A-Za-z]*[0-9])[A-Za-z0-9]{48,}"),
    _form("xai", "xai-", r"xai-[A-Za-z0-9]{70,}"),
    _form("perplexity", "pplx-", r"pplx-(?=[A-Za-z]*[0-9])[A-Za-z0-9]{40,}"),
    _form("replicate", "r8_", r"r8_(?=[A-Za-z]*[0-9])[A-Za-z0-9]{37}"),
    _form("circleci", "CCIPAT_", r"CCIPAT_[A-Za-z0-9]{20,}_[0-9a-f]{40}"),
    _form("netlify", "nfp_", r"nfp_(?=[A-Za-z]*[0-9])[A-Za-z0-9]{36,}"),
    _form("contentful", "CFPAT-", r"CFPAT-[\w-]{40,}"),
    _form("docker", "dckr_", r"dckr_(?:pat|oat)_[\w-]{20,}"),
    _form("crates", "cio", r"cio(?=[a-z]*[A-Z0-9])[A-Za-z0-9]{32}(?![A-Za-z0-9])", is_strict=True),
    _form(
        "jwt",
        "eyJ",
        r"eyJ[\w-]{10,}=*\.(?=[\w-]{20})[\w-]{20,}=*(?:\.[\w-]*=*)?|eyJ(?=[\w-]{17})[\w-]{17,}=*\.[\w-]+=*(?:\.[\w-]*=*)?",
    ),
    _form("jwt", "eyJ", r"eyJ[\w-]{17,}=*(?:\.[\w-]*=*){0,2}", is_strict=True),
)

_AWS_SECRET = _pattern(r"(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
_AWS_NEAR_CHARS = 400

# --- blocks ----------------------------------------------------------------------------------------------------------

_KEY_NAME = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?"
_BEGIN = _pattern(rf"-----BEGIN {_KEY_NAME}-----")
_END = _pattern(rf"-----END {_KEY_NAME}-----")
# What a block holds, and how it is quoted in sources: line ends spelled out, quotes, commas, comment marks.
_BODY = _pattern(r"(?:[A-Za-z0-9+/=\s\"'`,;:#*>|()\\-]|\.(?=\d))*")
_BODY_CHARS = _pattern(r"[A-Za-z0-9+/]{16,}")
_HEAD_LINE = _pattern(r"\s*(?:(?:Version|Comment|Proc-Type|DEK-Info|Hash|Charset|MessageID): [^\n\\]*(?:\\n|\s)*)+")
_LINE_CHARS = _pattern(r"[A-Za-z0-9+/=]+")
_BETWEEN_LINES = " \t\r\n\"'`,+;#*"
_LINE_CHARS_MIN, _FIRST_LINE_CHARS_MIN = 16, 12
_LINE_TAIL = _pattern(r"[A-Za-z0-9+/]*={0,2}")
_BLOCK_CHARS_MAX = 20_000

# --- names that announce ---------------------------------------------------------------------------------------------

_ANNOUNCING = ("pass", "pwd", "secret", "token", "key", "auth", "credential", "cookie", "session", "signature", "sig")
_WORD = _pattern(
    r"""(?<![a-z])pass(?:w(?:or)?d|phrase|code)?(?=[^a-z]|$) | passw(?:or)?d | passphrase | passcode | pwd
    | secret | token
    | (?:api|access|secret|private|auth|account|encrypt(?:ion)?|sign(?:ing)?|master|client|shared|service|storage|ssh
        |consumer|app|application|admin|license|deploy|webhook|session|subscription|secret_access)[ _.-]?key
    | credentials? | (?<![a-z])auth(?=[=_:]) | (?:session|csrf|sess)[_-]?id
    """,
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
"""Matched where one of `_ANNOUNCING` begins, or a little before it."""
_STARTS_BEFORE_MAX = 14
# "=" may stand behind any of them and a tail ("PASSWORD_PROD="), ":" and blanks behind those that `secret_hints` knows.
_BEHIND_EQUALS = _pattern(
    r"[\w-]{0,32}[\"'\])]{0,3}[ \t]{0,8}(?::[ \t]*(?P<type>[\w\[\]., |]{1,40}?)[ \t]*)?(?:=>|[:!=]?={1,3})[ \t]{0,8}",
    re.ASCII,
)
_BEHIND_COLON = _pattern(r"(?:[_-][\w-]{0,32})?(?:\\?[\"'`\])]){0,3}[ \t]{0,8}:[ \t]{0,8}(?=[^\s/:])", re.ASCII)
_BEHIND_TAG = _pattern(r">(?=[^\s<>]+</)")
_SIGN = _pattern(r"[:=]")
_BEHIND_BLANK = _pattern(r"(?:[ \t]+is)?[ \t]+", re.ASCII | re.IGNORECASE)
_OPTION = _pattern(r"(?:^|[\s\"'\[,(])--?[\w-]{0,24}\Z", re.ASCII)
_VALUE = _pattern(
    r"""(?:[furb@$]{0,2})(?P<quote>\\?["'`])(?P<quoted>(?:(?!(?P=quote))[^\n]){1,4000})(?:(?P=quote)|$|(?=\n))
    | (?P<bare>[^\s"'`,;&<>]+)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_KNOWN_TO_HINTS = _pattern(
    r"password\Z|passwd\Z|pass\Z|passphrase\Z|passcode\Z|pwd\Z|secret\Z|token\Z|key\Z", re.IGNORECASE
)

_NO_VALUE_TAIL = _pattern(
    r"""__ | s[_-]\w | [_-]?(?:ur[li]s?|encod\w*|type|name|names|id|ids|path|paths|file|files|field|fields
    |header|headers|prefix|suffix|param
    |params|endpoint|expir\w*|ttl|age|length|len|size|count|min|max|hash\w*|pattern|regex|re|format|label|labels|help
    |text|message|msg|error|errors|title|description|desc|class|model|view|form|widget|validator\w*|reset\w*|policy
    |change\w*|est|kind|scope|scopes|version|usage|limit|budget|index|position|start|end|line|column|env|var|alg
    |algorithm|method|mode|source|provider|manager|store|ring|pair|board|press|down|up|code|codes|word|words|ref|arn)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PLACEHOLDER = _pattern(
    r"""change|example|placeholder|your[_-]?|<|>|\$\{|\$\(|\{\{|\{\w*\}|%\(|%s|\.\.\.|…|\*{3}|x{4}|redacted|insert|dummy
    |sample|fake|todo|replace|mock|not[_-]?a|env[.(\[]|os\.|process\.|config\.|secrets\.|vault|1234|abcd|foo|bar
    |lorem|secret|passw|token|key|a-z|\(\?[:=!]|id_(?:rsa|dsa|ecdsa|ed25519)|\A__\w[\w-]*__\Z
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PLACEHOLDER_IN_KEY = _pattern(
    r"example|your|x{6}|\.\.\.|…|\*{3}|<|>|placeholder|0{10}|1234567890|abcdefgh|a-z|\(\?[:=!]|\A__\w[\w-]*__\Z",
    re.IGNORECASE,
)
_PATH_LIKE = _pattern(r"[./~]|[\w-]+(?:\.[A-Za-z_][\w-]*)+\Z|[A-Za-z][\w+.-]*://|[\w.-]+/[\w./-]*\Z")
_WORDY = _pattern(r"[A-Za-z]+[0-9]{0,2}(?:[_.: -][A-Za-z]*[0-9]{0,3})*\Z")

_URL = _pattern(
    r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9+.-]{0,30}://(?P<user>[^\s/?#:@\"'<>]{0,300}):(?P<password>[^\s\"'<>`]{1,500})@(?=[\w.\[%-])"
)
_PORT = _pattern(r"\d{1,5}(?:[/?#]|$)")
_HEADER = _pattern(
    r"""(?:authorization|x-api-key|x-auth-token|cookie)(?:\\?["'])?\s{0,4}[:=]\s{0,4}(?:\\?["'])?
    (?:(?:basic|bearer|token|digest|negotiate|apikey|bot|aws4-hmac-sha256)[ ])?(?P<value>[^\s"'`]+)
    """,
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
_HEADERS = ("authorization", "x-api-key", "x-auth-token", "cookie")
_SCHEME = _pattern(r"(?<![a-z])(?:(?P<basic>basic)|bearer)[ ](?P<value>[\w+/=.~-]{8,})", re.ASCII | re.IGNORECASE)
_BASE64 = _pattern(r"[A-Za-z0-9+/]{8,}={0,2}\Z")
_NETRC = _pattern(r"\blogin\s+\S*\w\S*\s+password[ \t]+(?P<value>\S+)")
_PARAMETER = _pattern(
    r"[?&](?:sig|signature|x-amz-signature|x-amz-security-token|x-goog-signature|code)=(?P<value>[^\s&\"'#]+)",
    re.IGNORECASE,
)
_CURL_USER = _pattern(r"(?:(?<= )-u |--user[ =])(?:\\?[\"'])?[\w.@-]+:(?P<value>[^\s\"']+)")
_VALUE_ENDS = _pattern(r"[ \t]*(?:#.*|&&.*|\|\|.*)?\Z|[\"';&]", re.ASCII)


def spans(text: str, *, is_strict: bool) -> list[Span]:
    """Return where the secrets of a text are, in order and apart from each other."""
    found = [*_of_forms(text, is_strict=is_strict), *_blocks(text, is_strict=is_strict)]
    found += _urls(text, is_strict=is_strict)
    found += _headers(text, is_strict=is_strict)
    found += _announced(text, is_strict=is_strict)
    if is_strict:
        found += [Span(*match.span("value"), "url") for match in _PARAMETER.finditer(text)]
        found += _random_runs(text)
        if " -u " in text or "--user " in text or "--user=" in text:
            found += [Span(*match.span("value"), "credential") for match in _CURL_USER.finditer(text)]
    return _apart([span for span in found if not _is_marked(text, span)])


def marked(text: str, found: list[Span]) -> str:
    """Return the text with a mark in place of each secret; every line of one that has several keeps its line end."""
    if not found:
        return text
    parts: list[str] = []
    end = 0
    for span in found:
        mark = f"{MARK}{span.kind}]"
        parts += [text[end : span.start], mark, ("\n" + mark) * text.count("\n", span.start, span.end)]
        end = span.end
    return "".join([*parts, text[end:]])


def is_secret_name(name: str) -> bool:
    """Tell whether a key of an object announces a secret as its value."""
    return any(match.end() == len(name) and _KNOWN_TO_HINTS.search(match.group()) for match in _WORD.finditer(name))


def cut_line_spans(line: str) -> list[Span]:
    """Return what may be a part of a secret in a line that is shown without those around it.

    A line that is nothing but base64 may be of a private key, and a run that ends at an ellipsis half of anything.
    """
    whole = _KEY_LINE.fullmatch(line)
    if whole is not None and _has_mixture(whole["key"]):
        return [Span(*whole.span("key"), "base64")]
    return [
        Span(*match.span("run"), "cut")
        for match in _AT_ELLIPSIS.finditer(line)
        if len(match["run"]) >= RUN_LENGTH or _looks_random(match["run"])
    ]


_KEY_LINE = _pattern(r"[\s\"'`,+]*(?P<key>[A-Za-z0-9+/]{40,100}={0,2})(?:\\n)?[\s\"'`,+\\;]*")
_AT_ELLIPSIS = _pattern(r"(?P<run>(?<=\A…)[\w+/=-]{8,}|[\w+/=-]{8,}(?=…\Z))", re.ASCII)


def is_doubtful(text: str, *, is_strict: bool) -> bool:
    """Tell whether the text may hold a secret of a form that only a detector knows; what is marked in it does not."""
    left = _MARKED.sub(" ", text)
    if is_strict:
        has_literal = any(char in left for char in "=\"'")
        return (has_literal and _WORD.search(left) is not None) or any(
            _has_mixture(match.group())
            for start, end in _regions(left)
            for match in _LONG_PIECE.finditer(left, start, end)
        )
    return any(
        _looks_random(match["value"])
        for start, end in _regions(left)
        for match in _QUOTED_RUN.finditer(left, start - 1, end + 1)
    )


_LONG_RUN = _pattern(rf"[A-Za-z0-9+_-]{{{RUN_LENGTH},}}")
_LONG_PIECE = _pattern(r"[A-Za-z0-9]{16,}")
_QUOTED_RUN = _pattern(rf"(?P<quote>[\"'])(?P<value>[A-Za-z0-9+_-]{{{RUN_LENGTH},200}})(?P=quote)")


def _announcements(text: str) -> list[int]:
    """Return where words begin that may announce a secret."""
    lower = _small(text)
    found = []
    for word in _ANNOUNCING:
        at = lower.find(word)
        while at >= 0:
            found.append(at)
            at = lower.find(word, at + len(word))
    return sorted(found)


def _small(text: str) -> str:
    """Return the text in small letters, as long as it was: of one letter alone the small form is two."""
    return text.replace("İ", "I").lower()


_BLANKS = _pattern(r"[\s\"'`<>]")
_BLANK_CHARS = frozenset(" \t\n\r\x0b\x0c\"'`<>")
_NOT_ONLY_SMALL = _pattern(r"[0-9A-Z]")
_REGION_BEFORE_MAX, _REGION_MAX = 300, 2_500


def _regions(text: str, *, with_slashes: bool = False) -> list[tuple[int, int]]:
    """Return the stretches without a blank or quote in which enough characters of a key follow each other.

    Every expression for a key is tried on these alone: on a whole text each of them would take as long as this.
    """
    folded, run = folded_runs(text.encode("ascii", "replace"), with_slashes=with_slashes)
    found: list[tuple[int, int]] = []
    at = folded.find(run)
    while at >= 0:
        start, lowest = at, max(0, at - _REGION_BEFORE_MAX, found[-1][1] if found else 0)
        while start > lowest and text[start - 1] not in _BLANK_CHARS:
            start -= 1
        behind = _BLANKS.search(text, at + len(run), at + _REGION_MAX)
        end = behind.start() if behind is not None else min(len(text), at + _REGION_MAX)
        if _NOT_ONLY_SMALL.search(text, start, end) is not None:  # names_of_things are most of them
            found.append((start, end))
        at = folded.find(run, end)
    return found


def _of_forms(text: str, *, is_strict: bool) -> list[Span]:
    found = []
    for start, end in _regions(text):
        region = text[start:end]
        for form in _FORMS:
            if (form.is_strict and not is_strict) or not any(anchor in region for anchor in form.anchors):
                continue
            for match in form.pattern.finditer(text, start, end):
                if is_strict or _PLACEHOLDER_IN_KEY.search(match.group()) is None:
                    found.append(Span(*match.span(), form.kind))
                    if form.kind == "aws":
                        found += _aws_secrets(text, match)
    return found


def _aws_secrets(text: str, key: re.Match[str]) -> list[Span]:
    start = max(0, key.start() - _AWS_NEAR_CHARS)
    return [
        Span(*match.span(), "aws")
        for match in _AWS_SECRET.finditer(text, start, key.end() + _AWS_NEAR_CHARS)
        if _has_mixture(match.group())
    ]


def _blocks(text: str, *, is_strict: bool) -> list[Span]:
    if "PRIVATE KEY" not in text:
        return []
    found = []
    at = 0
    while (begin := _BEGIN.search(text, at)) is not None:
        at = begin.end()
        end = _END.search(text, at, at + _BLOCK_CHARS_MAX)
        stop = end.start() if end is not None else len(text)
        if not is_strict:  # sources speak of keys, too: only what may be one belongs to it
            head = _HEAD_LINE.match(text, at, stop)
            body = _BODY.match(text, head.end() if head is not None else at, stop)
            stop = body.end() if body is not None else at
            if end is not None and stop >= end.start():
                stop = end.start()
            elif end is None:
                stop = _last_line_of_key(text, at, stop)
            if _BODY_CHARS.search(text, at, stop) is None:
                continue
        if end is not None and stop == end.start():
            stop = end.end()
        found.append(Span(begin.start(), stop, "private-key"))
        at = stop
    before = 0
    for end in _END.finditer(text):
        start = _first_line_of_key(text, max(before, end.start() - _BLOCK_CHARS_MAX), end.start())
        before = end.end()
        if start < end.start():
            found.append(Span(start, end.end(), "private-key"))
    return found


def _first_line_of_key(text: str, lowest: int, stop: int) -> int:
    """Return where the lines of a block begin whose beginning was cut off; `stop` when there are none.

    Walked backwards line by line: an expression for all of them would take exponential time.
    """
    window = text[lowest:stop].replace("\\n", "  ")  # line ends that are spelled out
    start, at = stop, len(window)
    for line in reversed(list(_LINE_CHARS.finditer(window))):
        said = line.group()
        is_last = start == stop
        is_line = len(said) >= _LINE_CHARS_MIN or (len(said) >= _FIRST_LINE_CHARS_MIN and _has_mixture(said))
        if window[line.end() : at].strip(_BETWEEN_LINES) or not (is_line or is_last):
            break
        start, at = lowest + line.start(), line.start()
    return start if _BODY_CHARS.search(text, start, stop) is not None else stop


def _last_line_of_key(text: str, start: int, stop: int) -> int:
    """Return where the lines of a block end that was cut: at the last one that may be of a key."""
    last = start
    for match in _BODY_CHARS.finditer(text, start, stop):
        last = match.end()
    tail = _LINE_TAIL.match(text, last, stop)
    return tail.end() if tail is not None else last


def _urls(text: str, *, is_strict: bool) -> list[Span]:
    if "://" not in text or "@" not in text:
        return []
    found = []
    for match in _URL.finditer(text):
        password = match["password"]
        if _PORT.match(password) is not None and "@" not in password.partition("/")[0]:
            continue
        if is_strict or _is_literal_password(password):
            found.append(Span(*match.span("password"), "url"))
            if is_strict and not match["user"].isalpha() and len(match["user"]) >= RUN_LENGTH:
                found.append(Span(*match.span("user"), "url"))
    return found


def _is_literal_password(value: str) -> bool:
    return (
        not any(char in value for char in "{}$<>/%*")
        and len(value) >= 4
        and _PLACEHOLDER.search(value) is None
        and (any(char.isdigit() for char in value) or not value.isalnum())
    )


def _headers(text: str, *, is_strict: bool) -> list[Span]:
    found = []
    lower = _small(text)
    for match in _HEADER.finditer(text) if any(name in lower for name in _HEADERS) else ():
        value = match["value"]
        # What `secret_hints` cannot see behind a colon is left: it would be two letters or a name.
        if is_strict:
            is_one = "=" in text or _is_seen(value) or "basic " in match.group().lower()
        else:
            is_literal = len(value) >= 12 and not any(char in value for char in "()[]{}$<>")
            is_one = is_literal and (_is_hash(value) or _looks_random(value)) and _looks_like_value(value)
        if is_one:
            found.append(Span(*match.span("value"), "credential"))
    for match in _SCHEME.finditer(text) if "basic " in lower or "bearer " in lower else ():
        value = match["value"]
        if match["basic"] is None:
            is_one = _is_seen(value) if is_strict else _looks_random(value)
        else:
            is_one = _BASE64.match(value) is not None and _has_mixture(value) and (is_strict or _looks_random(value))
        if is_one and (is_strict or _PLACEHOLDER_IN_KEY.search(value) is None):
            found.append(Span(*match.span("value"), "credential"))
    if "login" in text:
        found += [
            Span(*match.span("value"), "credential")
            for match in _NETRC.finditer(text)
            if is_strict or _is_literal_password(match["value"])
        ]
    return found


def _is_seen(value: str) -> bool:
    return _LONG_RUN.search(value) is not None


def _announced(text: str, *, is_strict: bool) -> list[Span]:
    """Return the values behind names that announce a secret."""
    found = []
    done = 0
    for at in _announcements(text):
        if at < done:
            continue
        if not is_strict and _SIGN.search(text, at, at + 48) is None:
            continue
        word = _WORD.search(text, max(0, at - _STARTS_BEFORE_MAX), at + 24)
        if word is None or not word.start() <= at < word.end():
            continue
        span = _strict_value(text, word) if is_strict else _precise_value(text, word)
        if span is not None:
            found.append(span)
            done = span.end
    return found


def _behind_equals(text: str, at: int, *, is_strict: bool) -> re.Match[str] | None:
    """Return what stands between a name and its value; None where "=" is of the value, as base64 ends with it."""
    behind = _BEHIND_EQUALS.match(text, at)
    if behind is None or behind["type"] is None:
        return behind
    is_part = _VALUE.match(text, behind.end()) is None or (is_strict and any(map(str.isdigit, behind["type"])))
    return None if is_part else behind


def _strict_value(text: str, word: re.Match[str]) -> Span | None:
    behind = _behind_equals(text, word.end(), is_strict=True)
    if behind is None and text[word.start() - 1 : word.start()] == "/":
        return None  # /etc/passwd: it is a path that something is said of
    if behind is None and _KNOWN_TO_HINTS.search(word.group()) is not None:
        behind = _BEHIND_COLON.match(text, word.end()) or _BEHIND_TAG.match(text, word.end())
        if behind is None:
            behind = _BEHIND_BLANK.match(text, word.end())
            is_option = _OPTION.search(text, max(0, word.start() - 32), word.start()) is not None
            if behind is None or not (is_option or "pass" in word.group().lower() or "pwd" in word.group().lower()):
                return None
            value = _VALUE.match(text, behind.end())
            said = (value["quoted"] or value["bare"] or "") if value is not None else ""
            if not is_option and not _may_be_said_password(said):
                return None
    if behind is None:
        return None
    value = _VALUE.match(text, behind.end())
    return Span(*_value_span(value), "credential") if value is not None else None


def _may_be_said_password(said: str) -> bool:
    """Tell whether a word after "password" is one rather than the next word of a sentence."""
    said = said.rstrip(".,:;!?)")
    is_word = all(char.isalpha() or char in "-_'" for char in said)
    return len(said) >= 6 and not is_word and _NUMBERED.match(said) is None


_NUMBERED = _pattern(
    r"(?:sha|md|base|utf|v|oauth|argon|bcrypt|pbkdf|http|python|django|rfc|section|step|page|line|test|hash)?[\W_]?\d+\Z",
    re.ASCII | re.IGNORECASE,
)


def _value_span(value: re.Match[str]) -> tuple[int, int]:
    return value.span("quoted") if value["quoted"] is not None else value.span("bare")


def _precise_value(text: str, word: re.Match[str]) -> Span | None:
    if _NO_VALUE_TAIL.match(text, word.end()) is not None or word.group().lower() == "auth":
        return None
    behind = _behind_equals(text, word.end(), is_strict=False) or _BEHIND_COLON.match(text, word.end())
    value = _VALUE.match(text, behind.end()) if behind is not None else None
    if value is None:
        return None
    start, end = _value_span(value)
    said = text[start:end]
    if value["quoted"] is None:
        line_end = text.find("\n", end)
        if _VALUE_ENDS.match(text, end, line_end if line_end >= 0 else len(text)) is None or len(said) < 8:
            return None
        if (
            any(char in said for char in "()[]{}$<>")
            or said.startswith("*")
            or not (_is_hash(said) or _looks_random(said))
        ):
            return None
    elif value["quote"] == "`" or " " in said:
        return None
    is_password = "pass" in word.group().lower() or "pwd" in word.group().lower()
    return Span(start, end, "credential") if _looks_like_value(said, chars_min=6 if is_password else 8) else None


def _looks_like_value(said: str, *, chars_min: int = 8) -> bool:
    """Tell whether a literal is a secret rather than a name, a word, a path or what stands for one."""
    if _is_hash(said) or (len(said) >= RUN_LENGTH and _looks_random(said)):
        return _PLACEHOLDER_IN_KEY.search(said) is None and "://" not in said
    return (
        len(said) >= chars_min
        and any(char.isalpha() for char in said)
        and any(char.isdigit() for char in said)
        and _PLACEHOLDER.search(said) is None
        and _PATH_LIKE.match(said) is None
        and (_WORDY.match(said) is None or _is_word_with_number(said))
    )


def _is_hash(said: str) -> bool:
    return len(said) >= 24 and re.fullmatch(r"[0-9A-Fa-f-]+", said) is not None and not said.isdigit()


_COMMON = _pattern(
    r"(?:oauth|sha|md|base|utf|hmac|hs|rs|es|v|test|user|admin|name|rfc|x|key|iso|http|s|aes)_?\d", re.IGNORECASE
)


def _is_word_with_number(said: str) -> bool:
    """Tell a password like hunter2 from names of things: one word, digits at its end, and no common one."""
    return said.isalnum() and said[-1].isdigit() and _COMMON.match(said) is None


_PIECES = _pattern(r"[A-Za-z0-9]+")
_HEX = _pattern(r"[0-9a-f]+|[0-9A-F]+")
_WORD_OF_PATH = _pattern(r"[A-Z]?[a-z]{2,}|[a-z]+(?:[_-][a-z0-9]+)+")
_BASE64_LINE = _pattern(rf"[A-Za-z0-9+/_-]{{{RUN_LENGTH},}}={{0,2}}")
_RANDOM_SHARE = 0.25
_LONG_CHARS, _RANDOM_SHARE_OF_LONG = 32, 0.15
"""Changes between small letters, digits and capitals, by character: random text has 0.4, names of words 0.1 to 0.2."""


def _random_runs(text: str) -> list[Span]:
    found = []
    regions = sorted({*_regions(text), *(_regions(text, with_slashes=True) if "/" in text else ())})
    for match in (one for start, end in regions for one in _BASE64_LINE.finditer(text, start, end)):
        run = match.group()
        if "/" in run and (len(run) < BASE64_LENGTH or any(map(_WORD_OF_PATH.fullmatch, run.split("/")))):
            # A path, mostly; what is between its slashes may be one.
            at = match.start()
            for part in run.split("/"):
                if len(part) >= RUN_LENGTH and _looks_random(part):
                    found.append(Span(at, at + len(part), "random"))
                at += len(part) + 1
        elif _looks_random(run):
            found.append(Span(*match.span(), "random"))
    return found


def _looks_random(run: str) -> bool:
    """Tell whether characters follow each other as nobody names anything; hexadecimal digits do not count."""
    pieces = [piece for piece in _PIECES.findall(run) if not (len(piece) >= 6 and _HEX.fullmatch(piece))]
    chars = sum(map(len, pieces))
    if chars < 8 or not _has_mixture(run):
        return False
    changes = 0
    for piece in pieces:
        before = "A" if piece[0].isupper() else piece[0]
        for char in piece[1:]:
            if char.isdigit() != before.isdigit() or (char.isupper() and before.islower()):
                changes += 1
            before = char
    share = _RANDOM_SHARE if chars < _LONG_CHARS else _RANDOM_SHARE_OF_LONG
    return changes >= share * chars and changes >= 3


def _has_mixture(run: str) -> bool:
    return any(char.isdigit() for char in run) and any(char.isalpha() for char in run) and _HEX.fullmatch(run) is None


def _is_marked(text: str, span: Span) -> bool:
    return span.start >= span.end or text.startswith(MARK, span.start) or text.startswith(MARK[1:], span.start)


def _apart(found: list[Span]) -> list[Span]:
    """Return the spans in order, those that overlap as one, of the kind that is the most telling."""
    apart: list[Span] = []
    for span in sorted(found, key=lambda one: (one.start, -one.end)):
        if apart and span.start < apart[-1].end:
            last = apart[-1]
            kind = span.kind if last.kind in _VAGUE and span.kind not in _VAGUE else last.kind
            apart[-1] = Span(last.start, max(last.end, span.end), kind)
        else:
            apart.append(span)
    return apart


_VAGUE = frozenset({"credential", "random", "url"})
