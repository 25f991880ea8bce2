"""Which language a file is in, as far as it matters for finding names and values."""

from __future__ import annotations

import posixpath
import re
from enum import StrEnum


class Grammar(StrEnum):
    """HCL quotes every literal; YAML and SETTINGS (``.env``, scripts, ini files) need not; CODE
    is full of labels and examples, so only a value that can be nothing else counts; PROSE
    (documentation, lock files, translations) is searched for forms only."""

    HCL = "hcl"
    YAML = "yaml"
    JSON = "json"
    SETTINGS = "settings"
    XML = "xml"
    CODE = "code"
    PROSE = "prose"


def grammar_of(path: str, text: str) -> Grammar:
    name = posixpath.basename(path).lower()
    if _PROSE_PATH.search(path.lower()) or name in _PROSE_NAMES:
        return Grammar.PROSE
    if _SETTINGS_NAME.match(name):
        return Grammar.SETTINGS
    ending = posixpath.splitext(name)[1].removeprefix(".")
    if ending in _OFTEN_JSON and text.lstrip("\ufeff \t\r\n")[:1] in {"{", "["}:
        return Grammar.JSON
    if not ending:
        return Grammar.SETTINGS if text.startswith("#!") else Grammar.CODE
    return _BY_ENDING.get(ending, Grammar.CODE)


def is_strict(path: str, grammar: Grammar) -> bool:
    """Whether only strong values count: in source code, and in workflows, whose throwaway service
    containers have throwaway passwords."""
    return grammar is Grammar.CODE or _WORKFLOW.search(path) is not None


_ENDINGS = {
    Grammar.HCL: "tf tofu tfvars hcl nomad",
    Grammar.YAML: "yml yaml template tpl j2",
    Grammar.JSON: "json tfstate",
    Grammar.SETTINGS: (
        "env ini cfg conf cnf toml properties sh bash zsh ksh fish ps1 psm1 bat cmd service mk"
        " bicep bicepparam dockerfile sql envrc"
    ),
    Grammar.XML: "xml config csproj props",
    Grammar.PROSE: (
        "md markdown rst txt adoc html htm css scss less svg csv tsv lock sum map po pot strings"
        " log diff patch snap tex mdx"
    ),
}
_BY_ENDING = {
    ending: grammar for grammar, endings in _ENDINGS.items() for ending in endings.split()
}
_OFTEN_JSON = {"", "template", "tfvars", "tfstate", "backup", "json", "parameters", "arm"}
_SETTINGS_NAME = re.compile(
    r"(?:.*\.)?env(?:rc)?(?:[._-].*)?$|.*\.dockerfile$|"
    r"(?:dockerfile|containerfile|makefile|jenkinsfile|vagrantfile|procfile)(?:\..*)?$|"
    r"\.(?:npmrc|pypirc|netrc|pgpass|my\.cnf|yarnrc|curlrc|wgetrc|bashrc|profile|s3cfg)$|"
    r"(?:user[-_]?data|cloud[-_]?init)(?:\..*)?$|credentials$"
)
_PROSE_NAMES = {
    "package-lock.json",
    "pnpm-lock.yaml",
    "npm-shrinkwrap.json",
    "composer.lock",
    "yarn.lock",
    "go.sum",
}
_PROSE_PATH = re.compile(
    r"(?:^|/)(?:i18n|l10n|locales?|langs?|translations?|node_modules|vendor)/|\.min\.js$"
)
_WORKFLOW = re.compile(
    r"(?:^|/)\.(?:github/workflows|circleci|gitlab-ci|gitlab)/|"
    r"(?:^|/)(?:\.gitlab-ci|\.travis|azure-pipelines|bitbucket-pipelines)[^/]*\.ya?ml$"
)
