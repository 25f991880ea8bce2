"""Secrets: found in every text file, once each; never shown; and ordinary words left alone."""

from __future__ import annotations

from collections import Counter

import pytest

from assessments.agents.routing import Owner, owned
from assessments.agents.severity import SeverityTable
from assessments.agents.types import Severity
from assessments.scan.merge import ScanResult
from assessments.scan.redact import MASK, Redactor
from assessments.scan.secrets.search import secrets_in
from assessments.scan.types import Outcome
from tests.assessments.planted import FILES, FOUND, PLANTED, TOKENS
from tests.assessments.scanning import files_of, scan


def found(path: str, text: str) -> list[tuple[str, str]]:
    return [(secret.rule, secret.value) for secret in secrets_in(path, text)]


@pytest.fixture(scope="module")
def planted() -> ScanResult:
    return scan(files_of(**FILES))


def test_every_planted_secret_is_one_finding_of_the_security_agent(planted: ScanResult) -> None:
    checks = [check for check in planted.checks if check.engine == "secrets"]
    assert len(checks) == FOUND
    assert {check.file for check in checks} == set(FILES)
    assert {check.engine_severity for check in checks} <= {"critical", "high"}
    mine = [c for c in owned(planted.checks, Owner.SECURITY) if c.outcome is Outcome.FAILED]
    lines = Counter((c.file, c.line_start) for c in mine if c.engine == "secrets")
    assert max(lines.values()) == 1
    others = [c for c in mine if c.rule in {"CL-0020", "CL-0021", "CKV_AWS_41", "CKV_AWS_46"}]
    assert others == []


def test_no_planted_secret_is_in_the_scans_result(planted: ScanResult) -> None:
    text = planted.to_json().decode()
    assert [value for value in sorted(PLANTED) if value in text] == []


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("a.sh", "export DB_PASSWORD=hunter2\n", "hunter2"),
        (".env", "DB_PASSWORD=p@ss,word;1\n", "p@ss,word;1"),
        (".env.production", "SMTP_PASS='with space'\nSMTP_PASS=abc1\n", "abc1"),
        ("x.tfvars", 'db_password = "hunter2"\n', "hunter2"),
        ("a.tf", 'resource "x" "p" {\n  keepers = { password = "hunter2" }\n}', "hunter2"),
        ("a.tf", 'resource "google_sql_user" "u" {\n  password = "changeme"\n}', "changeme"),
        ("a.tf", 'resource "aws_db_instance" "d" {\n  password = "pass(word)1"\n}', "pass(word)1"),
        ("a.tf", 'resource "x" "y" {\n  client_secret = "abc-def"\n}', "abc-def"),
        ("a.tf", "user_data = <<EOF\nmysql --password=hunter2\nEOF\n", "hunter2"),
        ("cloud-init.yaml", "runcmd:\n  - export PGPASSWORD=hunter2\n", "hunter2"),
        ("values.yaml", "auth:\n  rootPassword: hunter2 # change it\n", "hunter2"),
        ("t.json", '{"Resources": {"D": {"MasterUserPassword": "hunter2"}}}', "hunter2"),
        ("t.json", '{"Parameters": {"DBPassword": {"Default": "hunter2"}}}', "hunter2"),
        ("p.bicepparam", "param adminPassword = 'hunter2'\n", "hunter2"),
        ("app.yaml", "spring.datasource.password: hunter2\n", "hunter2"),
        ("compose.yaml", "command: --requirepass x --masterauth-password hunter2\n", "hunter2"),
        ("main.py", 'password = "kX9!vP2#qLmZ"\n', "kX9!vP2#qLmZ"),
    ],
)  # fmt: skip
def test_a_literal_under_a_passwords_name_is_found(path: str, text: str, value: str) -> None:
    assert [each for _, each in found(path, text)] == [value]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.tf", 'password = var.db_password\npassword = random_password.p.result\n'),
        ("a.tf", 'password = "${var.db_password}"\nssh_private_key = file("~/.ssh/id_rsa")\n'),
        ("a.tf", 'password = data.aws_secretsmanager_secret_version.s.secret_string\n'),
        ("a.tf", 'password = "<your password>"\nsecret_key = "your-secret-key-here"\n'),
        ("a.tf", 'password_policy = "strict"\nrequire_password = "always"\nkms_key = "alias/x"\n'),
        ("a.tf", 'access_key = "AKIAIOSFODNN7EXAMPLE"\npassword = "example"\n'),
        ("a.sh", 'DB_PASSWORD="$(aws ssm get-parameter)"\nPASSWORD=$1\nTOKEN=`cat t`\nPASSWORD=\n'),
        (".env.example", "DB_PASSWORD=<your password>\nTOKEN=xxxxxxxxxxxxxxxx\nPASSWORD=****\n"),
        ("compose.yaml", "environment:\n  POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?set it}\n"),
        ("compose.yaml", "environment:\n  AUTH: ${VALKEY_PASSWORD:?set VALKEY_PASSWORD}\n"),
        ("compose.yaml", 'command: [valkey, --auth, "${PASSWORD:?set it}"]\n'),
        ("run.sh", ': "${DB_PASSWORD:?is missing}"\n'),
        ("compose.yaml", "environment:\n  POSTGRES_PASSWORD_FILE: /run/secrets/db\n"),
        ("pod.yaml", "volumes:\n  - secret:\n      secretName: db\n      defaultMode: 420\n"),
        ("pod.yaml", "- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef:\n      key: password\n"),
        ("ci.yaml", "permissions:\n  id-token: write\nsecrets: inherit\ntoken: ${{ secrets.T }}\n"),
        (".github/workflows/t.yml", "env:\n  POSTGRES_PASSWORD: postgres\n  U: ${{ secrets.U }}\n"),
        ("t.yaml", "Password:\n  Type: String\n  Description: The password\n  NoEcho: true\n"),
        ("t.yaml", "MasterUserPassword: !Ref Password\nSecret: '{{resolve:secretsmanager:x}}'\n"),
        ("main.py", 'password = "secret"\ntoken = "abc"\nPASSWORD_KEY = "password"\n'),
        ("main.py", 'if text.startswith("-----BEGIN RSA PRIVATE KEY-----"):\n    pass\n'),
        ("locales/de.json", '{"password": "Passwort-2024!"}'),
        ("package-lock.json", '{"integrity": "sha512-' + "aB3d" * 22 + '=="}'),
        ("README.md", "Log in with password: hunter2 or postgres://user:hunter2@localhost/x\n"),
        ("t.yaml", "P: !Join ['', ['{{resolve:secretsmanager:', x, ':SecretString:password}}']]\n"),
        ("t.yaml", "MasterUserPassword: !If\n- HasSecret\n- !Ref Password\n- !Ref Other\n"),
        ("sudoers.sh", "echo 'app ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/app\n"),
        ("pipeline.yml", "password: ((common.smtp_password))\n"),
        ("alb.tf", 'client_secret = "client_secret"\nsecret_data = "this is secret data"\n'),
        ("openapi.yaml", "password:\n  type: string\n  format: password\n"),
    ],
)  # fmt: skip
def test_references_placeholders_and_words_are_no_secrets(path: str, text: str) -> None:
    assert found(path, text) == []


def test_identified_by_is_a_password_in_a_statement_and_english_elsewhere() -> None:
    assert not found("crd.yaml", "text: |\n  The responder is identified by name here.\n")
    statement = "CREATE USER shop IDENTIFIED BY hunter2hunter2;\n"
    quoted = "ALTER USER shop\n IDENTIFIED BY 'hunter2hunter2';\n"
    for text in (statement, quoted):
        assert [value for _, value in found("init.sql", text)] == ["hunter2hunter2"]


def test_one_secret_seen_by_two_rules_is_one() -> None:
    assert found("a.tf", f'github_token = "{TOKENS["github"]}"\n') == [
        ("IM-SECRET-6", TOKENS["github"])
    ]
    assert [rule for rule, _ in found("a.env", "PASSWORD=postgres://u:hunter2@db/x\n")] == [
        "IM-SECRET-3"
    ]


def test_a_suppression_in_the_file_is_counted_and_its_secret_still_masked() -> None:
    source = (
        'resource "aws_db_instance" "d" {\n  # checkov:skip=IM-SECRET-1:only for the demo\n'
        '  password = "hunter2-Xy77"\n}\n'
    )
    result = scan(files_of(**{"main.tf": source}))
    (check,) = [check for check in result.checks if check.engine == "secrets"]
    assert (check.outcome, check.suppression) == (Outcome.SUPPRESSED, "only for the demo")
    assert "hunter2" not in result.to_json().decode()


def test_evidence_shows_the_line_without_the_value() -> None:
    (check,) = scan(files_of(**{"run.sh": "# start\nexport DB_PASSWORD=hunter2 # local\n"})).checks
    assert [(line.number, line.text) for line in check.evidence] == [
        (2, f"export DB_PASSWORD={MASK} # local")
    ]


def test_a_file_that_is_not_utf8_is_searched_too() -> None:
    checks = scan(files_of(**{"a.sh": b"# caf\xe9\nexport DB_PASSWORD=hunter2\n"})).checks
    assert [(check.rule, check.line_start) for check in checks] == [("IM-SECRET-2", 2)]


@pytest.mark.parametrize(
    "message",
    [
        "Use Compose secrets: the primitive for credentials",
        "Set a password: use Secrets Manager, not token: write",
        "Ensure that secretName: db is mounted read-only",
        "Ensure no hard coded AWS access key and secret key exists in provider",
        "API_KEY=value and password=value are examples of variables",
    ],
)
def test_messages_keep_their_words(message: str) -> None:
    redactor = Redactor.of(files_of(**{"a.env": "DB_PASSWORD=hunter2\nTOKEN=abc\n"}))
    assert redactor.message(message) == message


def test_code_keeps_its_words() -> None:
    redactor = Redactor.of([])
    for line in (
        "        secretName: db",
        "  id-token: write",
        "secrets: inherit",
        "  password = var.db_password",
        '  password = "${random_password.p.result}"',
        "  secret: db-credentials",
        '  private_key = file("~/.ssh/id_rsa")',
        "      key: password",
        "  POSTGRES_PASSWORD_FILE: /run/secrets/db-password",
    ):
        assert redactor.text(line) == line


def test_a_secret_that_is_only_a_word_is_masked_where_it_is_nothing_else() -> None:
    files = files_of(**{"a.env": "DB_PASSWORD=hunter\nOTHER_PASSWORD=postgres\nIMAGE=postgres\n"})
    redactor = Redactor.of(files)
    assert redactor.message("'hunter' is too short") == f"'{MASK}' is too short"
    assert redactor.message("the image postgres") == "the image postgres"
    assert redactor.message("DB_PASSWORD=hunter OTHER_PASSWORD=postgres") == (
        f"DB_PASSWORD={MASK} OTHER_PASSWORD={MASK}"
    )


def test_severities_are_the_engines_word() -> None:
    checks = scan(files_of(**{"a.tf": 'password = "hunter2"\n', "b.sh": "PASSWORD=x1y2z\n"})).checks
    table = SeverityTable(checks)
    assert {check.rule: table.of(check)[0] for check in checks if check.engine == "secrets"} == {
        "IM-SECRET-1": Severity.CRITICAL,
        "IM-SECRET-2": Severity.HIGH,
    }
