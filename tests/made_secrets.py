"""Secrets that are none: made at run time from parts, so that no scanner finds a key in this repository."""

from __future__ import annotations

import base64
import json
import random
import string
from typing import NamedTuple

LETTERS = string.ascii_letters + string.digits
URL_SAFE = LETTERS + "-_"
HEX = "0123456789abcdef"
BASE32 = string.ascii_uppercase + "234567"


class Made(NamedTuple):
    """A secret in its usual surroundings: `text` is what somebody writes, `secret` what must not be left of it."""

    kind: str
    text: str
    secret: str


class Maker:
    """Makes secrets; the same ones for the same seed."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def of(self, chars: str, count: int) -> str:
        """Return random characters; among many there are always small letters, capitals and digits if there can be."""
        while True:
            made = "".join(self._random.choice(chars) for _ in range(count))
            kinds = [str.isdigit, str.islower, str.isupper]
            if all(any(map(kind, made)) or not any(map(kind, chars)) for kind in kinds):
                return made

    def providers(self) -> list[Made]:
        """Return one key of each provider, as it looks by itself."""
        of = self.of
        keys = {
            "aws": "AK" + "IA" + of(BASE32, 16),
            "aws-temporary": "AS" + "IA" + of(BASE32, 16),
            "aws-secret": of(LETTERS + "+", 40),
            "github": "gh" + "p_" + of(LETTERS, 36),
            "github-fine": "github" + "_pat_" + of(LETTERS, 22) + "_" + of(LETTERS, 59),
            "gitlab": "gl" + "pat-" + of(URL_SAFE, 20),
            "slack-bot": "xox" + "b-" + of(string.digits, 12) + "-" + of(string.digits, 12) + "-" + of(LETTERS, 24),
            "slack-app": "xap" + "p-1-" + of(BASE32, 11) + "-" + of(string.digits, 13) + "-" + of(HEX, 64),
            "slack-hook": "https://hooks.sl" + f"ack.com/services/T{of(BASE32, 9)}/B{of(BASE32, 10)}/{of(LETTERS, 24)}",
            "discord-hook": "https://disc" + f"ord.com/api/webhooks/{of(string.digits, 18)}/{of(URL_SAFE, 68)}",
            "discord": "M" + of(URL_SAFE, 25) + "." + of(URL_SAFE, 6) + "." + of(URL_SAFE, 37) + "a",
            "teams-hook": "https://contoso.web"
            f"hook.office.com/webhookb2/{self.uuid()}@{self.uuid()}/IncomingWebhook/{of(HEX, 32)}/{self.uuid()}",
            "stripe": "sk" + "_live_" + of(LETTERS, 24),
            "stripe-hook": "wh" + "sec_" + of(LETTERS, 32),
            "openai": "sk" + "-" + of(LETTERS, 20) + "T3Blbk" + "FJ" + of(LETTERS, 20),
            "openai-project": "sk" + "-proj-" + of(LETTERS, 74) + "T3Blbk" + "FJ" + of(URL_SAFE, 74),
            "anthropic": "sk" + "-ant-api03-" + of(URL_SAFE, 93) + "AA",
            "google": "AI" + "za" + of(URL_SAFE, 35),
            "google-oauth": "ya" + "29." + of(URL_SAFE, 60),
            "google-client": "GOC" + "SPX-" + of(URL_SAFE, 28),
            "npm": "np" + "m_" + of(LETTERS, 36),
            "pypi": "py" + "pi-AgEIcHlwaS5vcmc" + of(URL_SAFE, 80),
            "sendgrid": "S" + "G." + of(URL_SAFE, 22) + "." + of(URL_SAFE, 43),
            "twilio": "S" + "K" + of(HEX, 32),
            "mailchimp": of(HEX, 32) + "-u" + "s12",
            "mailgun": "ke" + "y-" + of(HEX, 32),
            "square": "sq0" + "csp-" + of(URL_SAFE, 43),
            "shopify": "shp" + "at_" + of(HEX, 32),
            "digitalocean": "dop" + "_v1_" + of(HEX, 64),
            "databricks": "da" + "pi" + of(HEX, 32),
            "telegram": of("123456789", 10) + ":A" + "A" + of(URL_SAFE, 33),
            "huggingface": "h" + "f_" + of(string.ascii_letters, 34),
            "linear": "lin" + "_api_" + of(LETTERS, 40),
            "grafana": "gl" + "sa_" + of(LETTERS, 32) + "_" + of(HEX, 8),
            "newrelic": "NR" + "AK-" + of(BASE32, 27),
            "vault": "hv" + "s." + of(URL_SAFE, 95),
            "doppler": "d" + "p.pt." + of(LETTERS, 43),
            "age": "AGE-SEC" + "RET-KEY-1" + of(BASE32, 58),
            "atlassian": "ATA" + "TT3" + of(URL_SAFE, 180) + "=" + of(HEX, 8).upper(),
            "docker": "dckr" + "_pat_" + of(URL_SAFE, 27),
            "supabase": "sb" + "p_" + of(HEX, 40),
            "sentry": "sntry" + "u_" + of(HEX, 64),
            "sonar": "sq" + "u_" + of(HEX, 40),
            "buildkite": "bk" + "ua_" + of(HEX, 40),
            "langsmith": "lsv" + "2_pt_" + of(HEX, 32) + "_" + of(HEX, 10),
            "airtable": "pa" + "t" + of(LETTERS, 14) + "." + of(HEX, 64),
            "flutterwave": "FLW" + "SECK_TEST-" + of(HEX, 32) + "-X",
            "launchdarkly": "sd" + "k-" + self.uuid(),
            "hubspot": "pa" + "t-na1-" + self.uuid(),
            "groq": "gs" + "k_" + of(LETTERS, 52),
            "xai": "xa" + "i-" + of(LETTERS, 80),
            "perplexity": "ppl" + "x-" + of(LETTERS, 48),
            "replicate": "r" + "8_" + of(LETTERS, 37),
            "circleci": "CCI" + "PAT_" + of(LETTERS, 22) + "_" + of(HEX, 40),
            "netlify": "nf" + "p_" + of(LETTERS, 36),
            "contentful": "CF" + "PAT-" + of(URL_SAFE, 43),
        }
        return [Made(kind, key, key) for kind, key in keys.items()]

    def surrounded(self) -> list[Made]:
        """Return secrets that only their surroundings tell."""
        of = self.of
        password, blob = of(LETTERS, 14), of(LETTERS + "/+", 86) + "=="
        basic = base64.b64encode(f"deploy:{password}".encode()).decode()
        made = {
            "password=": ("password={}", password),
            "password:": ("password: {}", password),
            "is": ("my password is {}", password),
            "option": ("run --token {} now", password),
            "quoted": ('client_secret = "{}"', password),
            "environment": ("export DB_PASSWORD_PROD={} && run", password),
            "datadog": ("DD_API_KEY={}", of(HEX, 32)),
            "heroku": ("HEROKU_API_KEY={}", self.uuid()),
            "braintree": (f"access_token$production${of(string.ascii_lowercase, 16)}${{}}", of(HEX, 32)),
            "url": ("postgres://app:{}@db.internal:5432/shop", password),
            "url-with-slash": ("amqp://app:{}@mq/vhost", of(LETTERS, 6) + "/" + of(LETTERS, 6)),
            "query-string": ("GET /x?user=1&access_token={}&page=2", of(LETTERS, 30)),
            "basic": ("Authorization: Basic {}", basic),
            "bearer": ("Authorization: Bearer {}", of(URL_SAFE, 43)),
            "curl": ("curl -u deploy:{} https://x/?a=1", password),
            "npmrc": ("//registry.npmjs.org/:_authToken={}", self.uuid()),
            "netrc": ("machine h login deploy password {}", password),
            "azure": ("DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={};EndpointSuffix=x", blob),
            "sql-server": ("Server=db;User Id=sa;Password={};Encrypt=true", password),
            "mysql": ("mysqldump -h db -u root -p{} shop > x.sql", password),
            "mysql-quoted": ("mariadb -uroot '-p{}'", of(LETTERS, 8) + " " + of(LETTERS, 14)),
            "mysql-list": ("['mysqladmin', '-p{}', 'status']", password),
            "sshpass": ("sshpass -p {} ssh deploy@h", password),
            "sshpass-quoted": ("sshpass -v -p'{}' ssh deploy@h", of(LETTERS, 14)),
            "docker-login": ("docker login -u deploy -p {} registry.internal", password),
            "redis-cli": ("redis-cli -h cache -a {} get x", password),
            "7z": ("7z a -p{} backup.7z data", password),
            "curl-proxy": ("curl -x proxy:3128 -U deploy:{} https://h", password),
            "pair": ('{{"name": "DB_PASSWORD", "value": "{}"}}', password),
            "pgpass": ("db.internal:5432:shop:app:{}", password),
            "pgpass-any": ("*:*:*:app:{}", password),
            "pgpass-port": ("10.0.0.7:25060:*:app:{}", of(LETTERS, 7) + "\\:" + of(LETTERS, 14)),
            "encoded-url": ("open https%3A%2F%2Fapp%3A{}%40db.internal%2Fshop", password),
            "twice-encoded-url": ("https%253A%252F%252Fapp%253A{}%2540db.internal", password),
            "encoded-parameter": ("GET /login%3Fpassword%3D{}%26x%3D1", password),
            "escapes": ("postgres://app:{}@db.internal/shop", of(LETTERS, 12) + "%40" + of(LETTERS, 12)),
            "aws-pair": ("AK" + "IA" + of(BASE32, 16) + " {}", of(LETTERS + "/", 40)),
            "aws-file": ("aws_secret_access_key = {}", of(LETTERS + "/+", 40)),
            "jwt": ("token {}", self.jwt()),
            "service-account": (
                '{{"type": "service_account", "private_key": "{}"}}',
                self.private_key().replace("\n", "\\n"),
            ),
        }
        return [Made(kind, form.format(secret), secret) for kind, (form, secret) in made.items()]

    def disguised(self) -> list[Made]:
        """Return secrets with characters in them that nobody sees, and with letters that only look Latin."""
        of = self.of
        made = []
        for name, char in {
            "zero width space": "\u200b",
            "zero width non-joiner": "\u200c",
            "zero width joiner": "\u200d",
            "word joiner": "\u2060",
            "byte order mark": "\ufeff",
            "soft hyphen": "\u00ad",
            "variation selector": "\ufe0f",
        }.items():
            key = "gh" + char + "p_" + of(LETTERS, 36)
            made.append(Made(f"{name} in a prefix", key, key))
            key = "AI" + "za" + of(URL_SAFE, 17) + char + of(URL_SAFE, 18)
            made.append(Made(f"{name} in a key", key, key))
            password = of(LETTERS, 14)
            made.append(Made(f"{name} in a name", f"pass{char}word is {password}", password))
        password = of(LETTERS, 14)
        for name, first, letter in (("full-width", 0xFF21, "A"), ("mathematical", 0x1D5D4, "A")):
            prefix = "".join(chr(first + ord(char) - ord(letter)) for char in "AKIA")
            key = prefix + of(BASE32, 16)
            made.append(Made(f"{name} prefix", key, key))
        wide = "".join(chr(0xFF41 + ord(char) - ord("a")) for char in "password")
        made += [
            Made("full-width name", f"{wide}: {password}", password),
            Made("full-width sign", f"DB_{wide.upper()}\uff1d{password}", password),
            Made("full-width address", f"https\uff1a//app\uff1a{password}\uff20h", password),
        ]
        return made

    def keys(self) -> list[Made]:
        """Return private keys, whole and cut."""
        made = []
        for name in (
            "RSA PRIVATE KEY",
            "EC PRIVATE KEY",
            "PRIVATE KEY",
            "OPENSSH PRIVATE KEY",
            "ENCRYPTED PRIVATE KEY",
        ):
            key = self.private_key(name)
            made.append(Made(name.lower(), key, self.body(key)))
        pgp = self.private_key("PGP PRIVATE KEY BLOCK")
        made.append(Made("pgp", pgp, self.body(pgp)))
        whole = self.private_key()
        made.append(Made("cut behind", whole[: len(whole) // 2], self.body(whole)[: len(whole) // 3]))
        made.append(Made("cut before", whole[len(whole) // 2 :], self.body(whole)[-len(whole) // 3 :]))
        return made

    def private_key(self, name: str = "PRIVATE KEY") -> str:
        """Return a block with that name."""
        lines = [self.of(LETTERS + "+/", 64) for _ in range(6)]
        return "\n".join(
            ["-----BEG" + f"IN {name}-----", *lines, self.of(LETTERS, 22) + "==", "-----E" + f"ND {name}-----"]
        )

    def body(self, key: str) -> str:
        """Return the lines of a block that are the key."""
        return "\n".join(line for line in key.split("\n") if "-----" not in line)

    def jwt(self) -> str:
        """Return a signed token."""
        parts = [
            {"alg": "HS256", "typ": "JWT"},
            {"sub": self.of(string.digits, 10), "name": self.of(string.ascii_letters, 12)},
        ]
        encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
        return ".".join([*encoded, self.of(URL_SAFE, 43)])

    def uuid(self) -> str:
        """Return a random UUID."""
        return "-".join(self.of(HEX, count) for count in (8, 4, 4, 4, 12))

    def all(self) -> list[Made]:
        """Return all of them."""
        return [*self.providers(), *self.surrounded(), *self.keys(), *self.disguised()]


def windows(secret: str, length: int = 12) -> set[str]:
    """Return every run of that many characters of each line of a secret, which must be nowhere; all of a short one."""
    lines = [line for part in secret.split("\\n") for line in part.split("\n") if "-----" not in line]
    found = {line[at : at + length] for line in lines for at in range(len(line) - length + 1)}
    return found or {secret}
