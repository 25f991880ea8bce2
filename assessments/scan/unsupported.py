"""Files of tools that are not assessed, by name, with what to upload instead."""

from __future__ import annotations

import posixpath
import re

_KINDS: tuple[tuple[str, str], ...] = (
    (
        r"cdk\.json",
        "AWS CDK programs are not run. Run 'cdk synth' and upload cdk.out/*.template.json.",
    ),
    (
        r"cdktf\.json",
        "CDK for Terraform is not run. Run 'cdktf synth' and upload"
        " cdktf.out/stacks/*/cdk.tf.json.",
    ),
    (r"cdk8s\.ya?ml", "cdk8s is not run. Run 'cdk8s synth' and upload dist/*.yaml."),
    (
        r"Pulumi(\.[\w.-]+)?\.ya?ml",
        "Pulumi programs are not run. Upload the same resources as Terraform, CloudFormation or"
        " Bicep, or as the Kubernetes manifests that a provider's renderYamlToDirectory writes.",
    ),
    (
        r"serverless\.(ya?ml|json|ts|js)",
        "The Serverless Framework is not run. Run 'serverless package' and upload"
        " .serverless/cloudformation-template-update-stack.json.",
    ),
    (
        r"helmfile(\.[\w.-]+)?\.ya?ml(\.gotmpl)?",
        "Helmfile is not run. Upload the output of 'helmfile template', or the charts with their"
        " values files.",
    ),
    (r"skaffold\.ya?ml", "Skaffold is not run. Upload the output of 'skaffold render'."),
    (r"Tiltfile", "Tilt is not run. Upload the manifests and Compose files that it deploys."),
    (
        r"[\w.-]+\.(jsonnet|libsonnet)",
        "Jsonnet is not run. Upload what 'jsonnet' or 'tk show' writes.",
    ),
    (r"[\w.-]+\.cue", "CUE is not run. Upload the output of 'cue export'."),
    (
        r"[\w.-]+\.tfplan|tfplan",
        "This is a plan in Terraform's binary format. Upload the output of 'terraform show -json'.",
    ),
    (
        r"[\w.-]+\.tfstate(\.backup)?",
        "State files are not assessed, and they contain secrets. Run 'terraform plan -out plan' and"
        " 'terraform show -json plan', and upload that.",
    ),
    (
        r"[\w.-]+\.nomad(\.hcl)?|[\w.-]+\.nomad\.json",
        "Nomad jobs are not assessed. Upload the Dockerfiles of their images.",
    ),
    (
        r"[\w.-]+\.pkr\.(hcl|json)",
        "Packer templates are not assessed. Upload the Ansible playbooks that provision the image.",
    ),
    (
        r"Vagrantfile",
        "Vagrant is not assessed. Upload the Ansible playbooks or Compose files that it uses.",
    ),
    (
        r"Jenkinsfile(\.[\w.-]+)?|[\w.-]+\.jenkinsfile",
        "Jenkins pipelines are not assessed. Upload what they deploy: templates, manifests,"
        " Dockerfiles.",
    ),
    (
        r"bitbucket-pipelines\.ya?ml|\.travis\.ya?ml|\.drone\.ya?ml|appveyor\.ya?ml"
        r"|buildspec\.ya?ml|cloudbuild\.ya?ml|\.woodpecker\.ya?ml",
        "Only pipelines for GitHub Actions, GitLab CI, Azure Pipelines and CircleCI are"
        " assessed. Upload what this one deploys: templates, manifests, Dockerfiles.",
    ),
    (
        r"[\w.-]+\.sls|[\w.-]+\.pp|Policyfile\.rb|Berksfile",
        "Ansible is the only configuration management tool that is assessed.",
    ),
)
_PATTERNS = [(re.compile(rf"(?:{names})\Z", re.IGNORECASE), words) for names, words in _KINDS]


def instead_of(path: str) -> str:
    """What to upload instead of the file; empty if its name is not one of these."""
    name = posixpath.basename(path)
    return next((words for pattern, words in _PATTERNS if pattern.match(name)), "")
