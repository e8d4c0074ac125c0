"""Keys by the form their issuers document: one table, and where in a text its forms are."""

from __future__ import annotations

import re
from typing import NamedTuple

from .secret_text import PLACEHOLDER_IN_KEY, Span, has_mixture, pattern, regions


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
        pattern(rf"(?<![A-Za-z0-9])(?:{expression})", re.ASCII),
        is_strict,
    )


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

_BEGINNING = pattern(
    "|".join(
        (r"(?<![A-Za-z0-9])" if anchor[0].isalnum() else "") + re.escape(anchor)
        for form in _FORMS
        for anchor in form.anchors
        if len(anchor) > 4 or (len(anchor) > 2 and (anchor[-1] in "_-" or anchor.isupper()))
    )
)

_AWS_SECRET = pattern(r"(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
_AWS_NEAR_CHARS = 400


def keys_by_form(text: str, *, is_strict: bool) -> list[Span]:
    """Return where keys are that have the form of a provider's."""
    found = []
    for start, end in regions(text):
        region = text[start:end]
        for form in _FORMS:
            if (form.is_strict and not is_strict) or not any(anchor in region for anchor in form.anchors):
                continue
            for match in form.pattern.finditer(text, start, end):
                if is_strict or PLACEHOLDER_IN_KEY.search(match.group()) is None:
                    found.append(Span(*match.span(), form.kind))
                    if form.kind == "aws":
                        found += _aws_secrets(text, match)
    return found


def key_begins(run: str) -> int | None:
    """Return where a key begins of which a run of characters may be a part; None where none does."""
    begin = _BEGINNING.search(run)
    return begin.start() if begin is not None and any(map(str.isdigit, run[begin.end() :])) else None


def _aws_secrets(text: str, key: re.Match[str]) -> list[Span]:
    start = max(0, key.start() - _AWS_NEAR_CHARS)
    return [
        Span(*match.span(), "aws")
        for match in _AWS_SECRET.finditer(text, start, key.end() + _AWS_NEAR_CHARS)
        if has_mixture(match.group())
    ]
