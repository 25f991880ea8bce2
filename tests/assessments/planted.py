"""Forty secrets of different kinds, each where people leave them. None gives access to anything:
tokens are assembled here, so that no scanner takes this file for a leak."""

from __future__ import annotations

import base64
import json

LETTERS = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zAcDeF"
HEX = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
TOKENS = {
    "github": "ghp_" + LETTERS,
    "gitlab": "glpat-" + LETTERS[:20],
    "slack": "xoxb" + "-123456789012-1234567890123-" + LETTERS[:24],
    "stripe": "sk" + "_live_" + LETTERS[:24],
    "google": "AIza" + LETTERS[:35],
    "npm": "npm_" + LETTERS,
    "sendgrid": "SG." + LETTERS[:22] + "." + (LETTERS + LETTERS)[:43],
    "digitalocean": "dop_v1_" + HEX,
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0." + LETTERS,
    "twilio": "SK" + HEX[:32],
    "mailchimp": HEX[:32] + "-us12",
    "storage": (LETTERS * 3)[:86] + "==",
}
AWS_ID = "AKIA" + "Q3EGRKCWZHTN5XPL"
AWS_SECRET = "k7/Qp" + "Zr8vXw2Ys4Tu6Ab1Cd3Ef5Gh7Ij9Kl0Mn+o"
KEY_BODY = "MIIEpAIBAAKCAQEA" + LETTERS + LETTERS[::-1] + LETTERS.swapcase()
PRIVATE_KEY = f"-----BEGIN RSA PRIVATE KEY-----\n{KEY_BODY}\n-----END RSA PRIVATE KEY-----\n"
IN_BASE64 = base64.b64encode(b"v4ult-Passw0rd").decode()

FILES: dict[str, str] = {
    "main.tf": (
        'provider "aws" {\n'
        f'  access_key = "{AWS_ID}"\n  secret_key = "{AWS_SECRET}"\n'
        "}\n"
        'resource "aws_db_instance" "orders" {\n  password = "rds-Pw-1x"\n}\n'
        'resource "aws_redshift_cluster" "dw" {\n  master_password = "RedSh1ft-pw"\n}\n'
        'resource "azurerm_mssql_server" "sql" {\n'
        '  administrator_login_password = "Azure-Pw-2x"\n}\n'
        'resource "azurerm_linux_virtual_machine" "vm" {\n  admin_password = "Vm-Pw-3x!"\n}\n'
        'resource "google_sql_user" "u" {\n  password = "changeme"\n}\n'
        'resource "kubernetes_secret" "s" {\n  data = {\n    password = "K8s-tf-Pw4"\n  }\n}\n'
        'resource "aws_secretsmanager_secret_version" "v" {\n  secret_string = "SecStr-Pw5"\n}\n'
        'resource "aws_instance" "web" {\n  user_data = <<-EOF\n    #!/bin/bash\n'
        "    export DB_PASSWORD=Heredoc-Pw6\n  EOF\n}\n"
        'resource "aws_instance" "inline" {\n'
        '  user_data = "#!/bin/bash\\nexport API_PASSWORD=Inline-Pw7\\n"\n}\n'
        'resource "azurerm_app_service" "app" {\n'
        '  connection_string = "Server=db;User ID=sa;Password=ConnStr-Pw8;"\n}\n'
    ),
    "variables.tf": 'variable "db_password" {\n  type    = string\n  default = "VarDef-Pw9"\n}\n',
    "prod.tfvars": 'admin_password = "TfVars-Pw10"\n',
    ".env": f"POSTGRES_PASSWORD=DotEnv-Pw11\nGITHUB={TOKENS['github']}\n",
    "deploy.sh": (
        "#!/bin/sh\n"
        "PGPASSWORD=Shell-Pw12 psql -h db\n"
        "mysqladmin --password Option-Pw13 ping\n"
        f"curl -u admin:Curl-Pw14 https://host/\nexport SLACK={TOKENS['slack']}\n"
    ),
    "stack.yaml": (
        "AWSTemplateFormatVersion: '2010-09-09'\n"
        "Parameters:\n  DBPassword:\n    Type: String\n    NoEcho: true\n    Default: CfnDef-Pw15\n"
        "Resources:\n  Db:\n    Type: AWS::RDS::DBInstance\n    Properties:\n"
        "      MasterUserPassword: CfnProp-Pw16\n"
        "  Secret:\n    Type: AWS::SecretsManager::Secret\n    Properties:\n"
        '      SecretString: \'{"username":"app","password":"CfnJson-Pw17"}\'\n'
    ),
    "stack.params.json": json.dumps(
        [{"ParameterKey": "DBPassword", "ParameterValue": "ParamFile-Pw18"}]
    ),
    "azuredeploy.parameters.json": json.dumps(
        {
            "$schema": "deploymentParameters.json#",
            "parameters": {"adminPassword": {"value": "Arm-Pw19!"}},
        },
        indent=1,
    ),
    "compose.yaml": (
        "services:\n  db:\n    image: postgres:17\n    environment:\n"
        "      POSTGRES_PASSWORD: Compose-Pw20\n"
        "  app:\n    image: app:1\n    environment:\n"
        "      - DATABASE_URL=postgres://app:Url-Pw21@db/app\n"
    ),
    "pod.yaml": (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nspec:\n  containers:\n    - name: c\n"
        "      image: a:1\n      env:\n        - name: REDIS_PASSWORD\n          value: Pod-Pw22\n"
    ),
    "secret.yaml": (
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\nstringData:\n"
        "  password: Manifest-Pw23\n"
        f"data:\n  vault: {IN_BASE64}\n"
    ),
    "Dockerfile": f"FROM a:1\nENV ADMIN_PASSWORD Docker-Pw24\nENV STRIPE={TOKENS['stripe']}\n",
    "settings.xml": "<server>\n  <password>Xml-Pw25</password>\n</server>\n",
    "init.sql": "CREATE USER app IDENTIFIED BY 'Sql-Pw26';\n",
    "notebook.ipynb": json.dumps({"cells": [{"source": [f"client = C('{TOKENS['google']}')\n"]}]}),
    "keys/id_rsa": PRIVATE_KEY,
    ".npmrc": f"//registry.npmjs.org/:_authToken={TOKENS['npm']}\n",
    "mail.py": f"KEY = '{TOKENS['sendgrid']}'\nTWILIO = '{TOKENS['twilio']}'\n",
    "notes.md": f"The token is {TOKENS['gitlab']}, and do not tell anyone.\n",
    "do.yaml": f"token: {TOKENS['digitalocean']}\nchimp: {TOKENS['mailchimp']}\n",
    "session.txt": f"{TOKENS['jwt']}\n",
    "azure.conf": f"AccountName=shop;AccountKey={TOKENS['storage']};EndpointSuffix=x\n",
}

PASSWORDS = {
    "rds-Pw-1x", "RedSh1ft-pw", "Azure-Pw-2x", "Vm-Pw-3x!", "K8s-tf-Pw4", "SecStr-Pw5",
    "Heredoc-Pw6", "Inline-Pw7", "ConnStr-Pw8", "VarDef-Pw9", "TfVars-Pw10", "DotEnv-Pw11",
    "Shell-Pw12", "Option-Pw13", "Curl-Pw14", "CfnDef-Pw15", "CfnProp-Pw16", "CfnJson-Pw17",
    "ParamFile-Pw18", "Arm-Pw19!", "Compose-Pw20", "Url-Pw21", "Pod-Pw22", "Manifest-Pw23",
    "Docker-Pw24", "Xml-Pw25", "Sql-Pw26",
}  # fmt: skip
PLANTED = {*PASSWORDS, *TOKENS.values(), AWS_ID, AWS_SECRET, KEY_BODY, IN_BASE64, "changeme"}
"""Every value that must stay in the upload."""
FOUND = len(PLANTED) - 1
"""Findings: the AWS key and its id are one."""
