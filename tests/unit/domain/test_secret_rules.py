"""What is a secret in telemetry and what is one in source text."""

from __future__ import annotations

import time
from random import Random
from string import ascii_letters, digits

import pytest
from tests.made_secrets import Made, Maker, windows

from ctx.domain.secret_rules import is_doubtful, is_secret_name, marked, spans
from ctx.domain.secret_text import Span

_MAKER = Maker(3)


def strictly(text: str) -> str:
    """Return the text as telemetry would have it."""
    return marked(text, spans(text, is_strict=True))


def precisely(text: str) -> str:
    """Return the text as an excerpt would have it."""
    return marked(text, spans(text, is_strict=False))


@pytest.mark.parametrize("made", _MAKER.all(), ids=lambda made: made.kind)
def test_nothing_is_left_of_a_secret_in_telemetry(made: Made) -> None:
    """No 12 characters of a secret are left, alone or within a sentence."""
    for text in (made.text, f"why does {made.text} fail", f"({made.text})"):
        assert [] == [window for window in windows(made.secret) if window in strictly(text)]


def test_names_of_words_are_told_from_random_text() -> None:
    """Of 2,000 random runs as long as a long name, not one in a hundred passes for one."""
    random = Random(5)
    runs = ["".join(random.choices(ascii_letters + digits, k=36)) for _ in range(2_000)]
    assert 20 > sum(strictly(run) == run for run in runs)


@pytest.mark.parametrize("made", _MAKER.providers(), ids=lambda made: made.kind)
def test_keys_are_marked_in_sources(made: Made) -> None:
    """The form of a key is enough in source text; one that is 40 characters of base64 and nothing else is not."""
    expected = made.kind == "aws-secret"
    assert expected == (made.secret in precisely(f'KEY_OF_IT = ("{made.text}")\n'))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password=x", "password=[REDACTED:credential]"),
        ("the password is hunter2!", "the password is [REDACTED:credential]"),
        ("--token abc def", "--token [REDACTED:credential] def"),
        ('"api_key": "k"', '"api_key": "[REDACTED:credential]"'),
        ("DB_PASSWORD_PROD => 'a b'", "DB_PASSWORD_PROD => '[REDACTED:credential]'"),
        ("redis://:pw@h/0", "redis://:[REDACTED:url]@h/0"),
        ("https://h/x?a=1&sig=abc&b=2", "https://h/x?a=1&sig=[REDACTED:url]&b=2"),
        ("Cookie: sid=abc; a=b", "Cookie: [REDACTED:credential] a=b"),
        ("  password: QnZvZHJ1bWJzbEhGTHg=\nnext", "  password: [REDACTED:credential]\nnext"),
        ("<password>pw</password>", "<password>[REDACTED:credential]</password>"),
        ("token: abcd1234==", "token: [REDACTED:credential]"),
        ('{"name":"DB_PASSWORD","value":"pw"}', '{"name":"DB_PASSWORD","value":"[REDACTED:credential]"}'),
        (
            r"{\"name\":\"DB_TOKEN\",\n \"Value\":\"pw\"}",
            r"{\"name\":\"DB_TOKEN\",\n \"Value\":\"[REDACTED:credential]\"}",
        ),
        ("password: hunter2=x", "password: [REDACTED:credential]"),
        ('token: str = "abc"', 'token: str = "[REDACTED:credential]"'),
        ("mysql -u root -ptoor", "mysql -u root -p[REDACTED:credential]"),
        ("mysqldump '-pa b' x", "mysqldump '-p[REDACTED:credential]' x"),
        ("mysql -pa x | mysql -pb", "mysql -p[REDACTED:credential] x | mysql -p[REDACTED:credential]"),
        ("sshpass -p toor ssh a@b", "sshpass -p [REDACTED:credential] ssh a@b"),
        ("sshpass -v -ptoor ssh", "sshpass -v -p[REDACTED:credential] ssh"),
        ("['sshpass', '-p', 'toor', 'ssh']", "['sshpass', '-p', '[REDACTED:credential]', 'ssh']"),
        ("curl -U me:pw http://h", "curl -U me:[REDACTED:credential] http://h"),
        ("curl --proxy-user me:pw http://h", "curl --proxy-user me:[REDACTED:credential] http://h"),
        ("docker login -u me -p toor h", "docker login -u me -p [REDACTED:credential] h"),
        ("['az', 'login', '-p', 'toor']", "['az', 'login', '-p', '[REDACTED:credential]']"),
        ("helm registry login h -p toor", "helm registry login h -p [REDACTED:credential]"),
        ("redis-cli -h a -a toor get x", "redis-cli -h a -a [REDACTED:credential] get x"),
        ("7za a -mhe -ptoor x.7z y", "7za a -mhe -p[REDACTED:credential] x.7z y"),
        ("h:5432:d:u:pw\n*:*:*:u:p:w", "h:5432:d:u:[REDACTED:credential]\n*:*:*:u:[REDACTED:credential]"),
        ("ctx://a/h:5432:d:u:pw", "ctx://a/h:5432:d:u:[REDACTED:credential]"),
        ("[h:5432:d:u:pw] is none", "[h:5432:d:u:[REDACTED:credential] is none"),
        (r"[::1]:5432:d\:e:u:p\:w", r"[::1]:5432:d\:e:u:[REDACTED:credential]"),
        ("https%3A%2F%2Fu%3Apw%40h%2Fx", "https%3A%2F%2Fu%3A[REDACTED:url]%40h%2Fx"),
        ("https%253a%252f%252fu%253apw%2540h", "https%253a%252f%252fu%253a[REDACTED:url]%2540h"),
        ("password\u00a0=\u00a0ab", "password\u00a0=\u00a0[REDACTED:credential]"),
        ("le password\u202f: ab c", "le password\u202f: [REDACTED:credential] c"),
        ("password%3Dab", "password%3D[REDACTED:credential]"),
        ("https://u:p%40w@h/x", "https://u:[REDACTED:url]@h/x"),
        ("pass\u200bword: \u200ba\u200bb\u200b.", "pass\u200bword: \u200b[REDACTED:credential]"),
        ("\uff50\uff57\uff44\uff1dab", "\uff50\uff57\uff44\uff1d[REDACTED:credential]"),
        (r"pass\u200cword is 'hunter\xad2'", r"pass\u200cword is '[REDACTED:credential]'"),
        ("ctx.*:*:*:u:pw", "ctx.*:*:*:u:[REDACTED:credential]"),
        ("algoliaAdminKey: '4ad5107c'", "algoliaAdminKey: '[REDACTED:credential]'"),
    ],
)
def test_what_telemetry_takes_for_a_secret(text: str, expected: str) -> None:
    """The value goes, what announces it and what is around it stay."""
    assert expected == strictly(text)


@pytest.mark.parametrize(
    "text",
    [
        "where is the token refreshed",
        "password reset flow",
        "../../etc/passwd: outside the segment",
        "secret santa",
        "the password is required",
        "password sha256",
        "sha256:" + "1a" * 32,
        "1a2b3c4d5e6f7a8b9c0d1a2b3c4d5e6f7a8b9c0d",
        "run_1764296663_1a2b3c4d",
        "src/infrastructure/ast_lsp/test_lsp_timeout_falls_back.py#SkeletonMapBuilder.render@1a2b3c4d",
        "test_lsp_timeout_falls_back_to_tree_sitter_v2",
        "https://host:8080/a@b",
        "https://user@host/x",
        "GET /users",
        "2025-12-29T22:06:52.060304+00:00",
        "-----BEGIN CERTIFICATE----- is no key",
        "12345678-aaaa-bbbb-cccc-1234567890ab",
        "request 550e8400-e29b-41d4-a716-446655440000 failed",
        "GET /orders/0B1C2D3E-4F5A-4B6C-8D7E-9F0A1B2C3D4E/items",
        "JdbcOAuth2AuthorizedClientService",
        "shouldReturn404WhenUserDoesNotExist",
        "CreateEC2InstanceWithEBSVolumeAndS3Bucket",
        "kCFStringEncodingUTF16LittleEndian",
        "org/springframework/boot/Log4j2LoggingSystemPropertiesInitializer.java",
        "mysql -u root -p shop",
        "mysql -p",
        "docker run -p 3306:3306 mysql -p 3306",
        "mkdir -p a/b",
        "ssh -p 2222 mysql@host",
        "sshpass -e ssh -p 22 h",
        "docker login h && ssh -p 22 h",
        "docker run --name login -p 8080:80 img",
        "ssh login -p 2222 me@h",
        "redis-cli -h x -a --raw keys",
        "how a login -prompt is drawn",
        "redis-cli -h a; ls -a b",
        "src/a.py:1200:5:error:x",
        "fe80:1234:5678:9abc:def0:1234",
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
        "12:34:1000:1000:alice:home:shell",
        "http://[::dead:1234:beef:dead:beef]:5432/foo",
        "http://localhost:8080/a:b:c:d",
        "psql host:5432:db",
        "https%3A%2F%2Fhost%3A8080%2Fa%40b",
        "https://host/x?mail=a%40b",
        "100% of %s and %d",
        "un\u00adbreak\u00adable \u201cquoted\u201d \u2014 dash \u2026",
        "\u0440\u0430ssage \uff21\uff22\uff23",
        "https://host:80/?next=a@b",
    ],
)
def test_what_telemetry_says_as_it_is(text: str) -> None:
    """Questions, hashes, names and places are no secrets."""
    assert text == strictly(text)


@pytest.mark.parametrize(
    "text",
    [
        "password = get_password()",
        'token: str = ""',
        'password = "changeme"',
        'api_key = "<your key>"',
        'API_KEY = "xxxxxxxxxxxxxxxx"',
        "password: ${DB_PASSWORD}",
        'secret = "{{ vault.secret }}"',
        'password = os.environ["DB_PASSWORD1"]',
        "token = self.lexer.token2",
        'token_type = "urn:ietf:params:oauth:token-type:jwt1"',
        'password_url = "/accounts/reset1/2"',
        'label = "Password: 8 characters1"',
        'if token == "oauth2":',
        'TOKENS_ENCODING="cl100k_base"',
        'url = "postgres://user:password@localhost/db"',
        'url = f"postgres://{user}:{password}@host"',
        'if text.startswith("-----BEGIN RSA PRIVATE KEY-----"):\n    return PemKey(text)\n',
        "Authorization: Bearer <token>",
        '("refs", "load_cookie", "--deadline=0")',
        'AWS_KEY = "AK' + 'IAIOSFODNN7EXAMPLE"',
        "machine h login me password placeholder",
        '@override_settings(AUTH_USER_MODEL="auth_tests.CustomUserWithM2MThrough")',
        "machine h login me password pass account acct",
        "authorization = authorization[1].encode('ascii')",
        'cookie = interact_2965(c, "http://www.acme.com")',
        "Set-Cookie: PART_NUMBER=ROCKET_LAUNCHER_0001; path=/",
        "authorization = base64.decodebytes(authorization)",
        "password `abc12345`",
        "mysql -u root -p$MYSQL_PWD shop",
        'mysqldump -p"${PASSWORD}" shop',
        "sshpass -p password ssh a@b",
        'sshpass -p "$PASS" ssh a@b',
        "docker login -u me -p $TOKEN h",
        "# at login: mkdir -p folder",
        "hostname:5432:database:username:password",
        "127.0.0.1:8080:80:a:b",
        "https%3A%2F%2Fuser%3Apassword%40host",
        'printf("token %3d key%3d", a1, b2)',
        "# Return with login / password\nlogin_i = 0 if netrc[0] else 1",
        'token = r"[-!#$%&\'*+.^_`|~0-9a-zA-Z]+"',
        'password = "^(?=.*[0-9]).{8,}$"',
        'customArgumentsToken="__ES6-PROMISIFY--CUSTOM-ARGUMENTS__"',
        'ssh_key = "id_ed25519"',
        "- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef: q9X7b2LkQ9z88aa1",
        '<input name="password" value="{{ form.password }}">',
        'env("DB_PASSWORD", value=settings.DATABASE_PASSWORD_1)',
        "token, value = split(a1b2c3d4e5f6)",
        "'/EA" + "AAB" + "x7Yz" * 40 + "'",
    ],
)
def test_what_sources_say_as_it_is(text: str) -> None:
    """Calls, names, types, placeholders and prose of sources stay."""
    assert text == precisely(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('password = "s3cr3t!x9"', 'password = "[REDACTED:credential]"'),
        ('password = "hunter2"', 'password = "[REDACTED:credential]"'),
        ("API_KEY=9f86d081884c7d659a2feaa0c55ad015", "API_KEY=[REDACTED:credential]"),
        ('"Authorization": "Basic ZGVwbG95OnM5eDdRMnZLMQ=="', '"Authorization": "Basic [REDACTED:credential]"'),
        ("X-Auth-Token: Zx9Yw8Vu7Ts6Rq5Po4Nm", "X-Auth-Token: [REDACTED:credential]"),
        ("X-API-Key: 9f86d081884c7d659a2feaa0c55ad015", "X-API-Key: [REDACTED:credential]"),
        ("login me password q9X7b2Lk", "login me password [REDACTED:credential]"),
        ("  login me\n  password q9X7b2Lk", "  login me\n  password [REDACTED:credential]"),
        ("data:\n  password: QnZvZHJ1bWJzbEhGTHg=\n", "data:\n  password: [REDACTED:credential]\n"),
        ('password: str = "q9X7b2Lk"', 'password: str = "[REDACTED:credential]"'),
        ("mysqldump -uroot -pq9X7b2Lk shop", "mysqldump -uroot -p[REDACTED:credential] shop"),
        ("sshpass -p 'q9X7b2Lk' ssh a@b", "sshpass -p '[REDACTED:credential]' ssh a@b"),
        ("docker login -u me -p q9X7b2Lk h", "docker login -u me -p [REDACTED:credential] h"),
        ("redis-cli -a q9X7b2Lk", "redis-cli -a [REDACTED:credential]"),
        ("db.internal:5432:*:app:q9X7b2Lk\n", "db.internal:5432:*:app:[REDACTED:credential]\n"),
        ("https%3A%2F%2Fapp%3Aq9X7b2Lk%40h", "https%3A%2F%2Fapp%3A[REDACTED:url]%40h"),
        ("amqp://app:q9%2FX7b2Lk@h/x", "amqp://app:[REDACTED:url]@h/x"),
        ("pass\u200bword = 'q9X7\u2060b2Lk'", "pass\u200bword = '[REDACTED:credential]'"),
        (
            "\uff50\uff41\uff53\uff53\uff57\uff44 = 'q9X7b2Lk'",
            "\uff50\uff41\uff53\uff53\uff57\uff44 = '[REDACTED:credential]'",
        ),
        ("db: mysql://app:q9X7b2Lk@h/x", "db: mysql://app:[REDACTED:url]@h/x"),
        ("- name: DB_TOKEN\n  value: QnZvZHJ1bWJzbEhGTHg=", "- name: DB_TOKEN\n  value: [REDACTED:credential]"),
        (
            '  "name": "DB_PASSWORD",\n        "value": "q9X7b2Lk"',
            '  "name": "DB_PASSWORD",\n        "value": "[REDACTED:credential]"',
        ),
        ('<add key="Password" value="q9X7b2Lk"/>', '<add key="Password" value="[REDACTED:credential]"/>'),
    ],
)
def test_what_sources_must_not_show(text: str, expected: str) -> None:
    """Literals behind names that announce a secret go."""
    assert expected == precisely(text)


def test_a_private_key_keeps_its_lines() -> None:
    """Each line of a block becomes a mark, so that lines keep their numbers."""
    key = _MAKER.private_key()
    text = f"a = 1\nKEY = '''{key}'''\nb = 2\n"
    shown = precisely(text)
    assert text.count("\n") == shown.count("\n")
    assert ("a = 1", "b = 2", "") == (shown.split("\n")[0], *shown.split("\n")[-2:])
    assert key.count("\n") + 1 == shown.count("[REDACTED:private-key]")


@pytest.mark.parametrize("is_strict", [False, True])
def test_a_cut_private_key_is_marked_to_its_last_line(is_strict: bool) -> None:
    """Without its end a block ends with the last line that may be of a key."""
    key = _MAKER.private_key("OPENSSH PRIVATE KEY")
    cut = key[: len(key) // 2]
    shown = marked(cut, spans(cut, is_strict=is_strict))
    assert [] == [window for window in windows(cut) if window in shown]
    code = "".join(
        ("-----BEGIN ", "PRIVATE KEY-----\n", "Proc-Type: 4,ENCRYPTED\n\n", "A1b2" * 16, "\n", "def f(): pass\n")
    )
    if not is_strict:
        assert "def f(): pass\n" in precisely(code)
        assert "A1b2" not in precisely(code)


@pytest.mark.parametrize(
    "unit",
    [
        "eyJ",
        "eyJ-",
        "`password=",
        "-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\n" + "A1b2" * 16 + "\n",
        "A1b2C3d4E5f6G7h8 ",
        "\n" + "A1b2" * 16,
        "https://u:@",
        "key: ",
        "password=[REDACTED:aws]",
        "token:a(",
        "mysql -p ",
        "mysql ",
        "sshpass -v ",
        "a:5432:",
        ":5432:*:",
        "%25",
        "%3A%2F%2F",
        "\\",
        r"\u200b",
        "\u200b",
        "\uff50",
    ],
)
@pytest.mark.parametrize("is_strict", [False, True])
def test_no_text_takes_its_square_in_time(unit: str, is_strict: bool) -> None:
    """Four times as much of what leads expressions on takes about four times the work, and never sixteen times."""
    elapsed_ns = []
    for count in (12_000, 48_000):
        text = unit * (count // len(unit)) + "-----END RSA PRIVATE KEY-----"
        best_ns = 1 << 62
        for _ in range(3):
            begun_ns = time.thread_time_ns()
            spans(text, is_strict=is_strict)
            best_ns = min(best_ns, time.thread_time_ns() - begun_ns)
        elapsed_ns.append(best_ns)
    assert elapsed_ns[1] < 11 * elapsed_ns[0] + 20_000_000


def test_spans_do_not_overlap() -> None:
    """What two rules find is one place of the more telling kind."""
    key = next(made.secret for made in _MAKER.providers() if made.kind == "github")
    assert [Span(9, 9 + len(key), "github")] == spans(f"password={key}", is_strict=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("password", True),
        ("x-api-key", True),
        ("total_tokens", False),
        ("key", False),
        ("passport", False),
        ("pass\u200dword", True),
    ],
)
def test_names_of_secrets(name: str, expected: bool) -> None:
    """A key of an object announces a secret by its last word."""
    assert expected == is_secret_name(name)


@pytest.mark.parametrize(
    ("text", "is_strict", "expected"),
    [
        ("where is the token refreshed", True, False),
        ("test_lsp_timeout_falls_back_to_tree_sitter", True, False),
        ("9f86d081884c7d659a2feaa0c55ad0159f86d081", True, False),
        ("password=[REDACTED:credential] = x", True, True),
        ("Zx9Yw8Vu7Ts6Rq5Po4Nm", True, True),
        ("[REDACTED:random]", True, False),
        ('x = "Zx9Yw8Vu7Ts6Rq5Po4Nm"', False, True),
        ('password = "changeme"', False, False),
    ],
)
def test_what_the_detector_is_asked_about(text: str, is_strict: bool, expected: bool) -> None:
    """Only literals beside announcing words, and what looks random, are worth loading a detector for."""
    assert expected == is_doubtful(text, is_strict=is_strict)
