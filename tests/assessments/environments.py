"""Uploads with several scopes, for tests that compare each scope with the same scope alone."""

from __future__ import annotations

DATABASE = """\
variable "name" {}
variable "public" {}
variable "encrypted" {}
variable "instance_class" {}
variable "replicas" {
  default = 0
}

resource "aws_db_instance" "main" {
  identifier          = var.name
  engine              = "postgres"
  instance_class      = var.instance_class
  allocated_storage   = 100
  publicly_accessible = var.public
  storage_encrypted   = var.encrypted
}

resource "aws_db_instance" "replica" {
  count               = var.replicas
  replicate_source_db = aws_db_instance.main.identifier
  instance_class      = var.instance_class
  publicly_accessible = var.public
  storage_encrypted   = var.encrypted
}
"""
PROD = """\
provider "aws" {
  region = "us-east-1"
}

module "db" {
  source         = "../../modules/db"
  name           = "prod"
  public         = true
  encrypted      = false
  instance_class = "db.r5.2xlarge"
  replicas       = 1
}

resource "aws_instance" "api" {
  ami           = "ami-12345678"
  instance_type = "m5.xlarge"
}
"""
STAGING = """\
provider "aws" {
  region = "us-west-2"
}

resource "aws_instance" "api" {
  ami           = "ami-12345678"
  instance_type = "t3.medium"
  ebs_optimized = true
}

module "db" {
  source         = "../../modules/db"
  name           = "staging"
  public         = false
  encrypted      = true
  instance_class = "db.t3.medium"
}
"""
DEVELOPMENT = """\
provider "aws" {
  region = "us-east-1"
}

module "db" {
  source         = "../../modules/db"
  name           = "dev"
  public         = true
  encrypted      = true
  instance_class = "db.t3.small"
}

resource "aws_s3_bucket" "scratch" {
  bucket = "scratch"
}
"""
THREE_ROOTS = {
    "modules/db/main.tf": DATABASE,
    "envs/prod/main.tf": PROD,
    "envs/staging/main.tf": STAGING,
    "envs/dev/main.tf": DEVELOPMENT,
}
TWO_ROOTS = {path: text for path, text in THREE_ROOTS.items() if path != "envs/dev/main.tf"}
TWO_VARIABLE_FILES = {
    "infra/main.tf": """\
variable "public" {
  default = false
}
variable "size" {}
variable "instances" {
  default = 1
}

provider "aws" {
  region = "us-east-1"
}

resource "aws_db_instance" "main" {
  engine              = "mysql"
  instance_class      = var.size
  allocated_storage   = 20
  publicly_accessible = var.public
}

resource "aws_instance" "web" {
  count         = var.instances
  ami           = "ami-12345678"
  instance_type = "t3.large"
}
""",
    "infra/prod.tfvars": 'public = true\nsize = "db.m5.large"\ninstances = 3\n',
    "infra/staging.tfvars": 'size = "db.t3.micro"\n',
}
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: nginx:1.27
"""
POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: web
spec:
  podSelector: {matchLabels: {app: web}}
"""
DEBUGGING = """\
apiVersion: v1
kind: Pod
metadata:
  name: debug
spec:
  hostNetwork: true
  containers:
    - name: shell
      image: alpine
      securityContext: {privileged: true}
"""
TWO_OVERLAYS = {
    "k8s/base/kustomization.yaml": "resources: [web.yaml]\n",
    "k8s/base/web.yaml": DEPLOYMENT,
    "k8s/overlays/prod/kustomization.yaml": "resources: [../../base, policy.yaml]\n",
    "k8s/overlays/prod/policy.yaml": POLICY,
    "k8s/overlays/staging/kustomization.yaml": "resources: [../../base, debug.yaml]\n",
    "k8s/overlays/staging/debug.yaml": DEBUGGING,
}
