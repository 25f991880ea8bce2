"""What the internet can reach according to the code, and what it is not known to reach."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import reverse

from assessments.agents.exposure.reach import exposures
from assessments.agents.references import read_graph
from assessments.models import Finding
from tests.assessments.rows import assessed, document_of, uploaded
from tests.assessments.scanning import files_of, scan

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NETWORK = """
resource "aws_vpc" "main" {}
resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
}
resource "aws_subnet" "public" {
  vpc_id                  = aws_vpc.main.id
  map_public_ip_on_launch = true
}
resource "aws_security_group" "open" {
  ingress {
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
resource "aws_security_group" "inner" {
  ingress {
    from_port   = 5432
    to_port     = 5432
    protocol    = "tcp"
    cidr_blocks = ["10.0.0.0/8"]
  }
}
"""


def reached(text: str, *, path: str = "main.tf") -> dict[str, str]:
    found = scan(files_of(**{path: text}), engines=["tfparse", "resources"])
    graph = read_graph(found.resources)
    return {address: each.reason for address, each in exposures(graph).items()}


def test_a_balancer_is_reached_through_an_open_group_and_says_so() -> None:
    found = reached(
        NETWORK
        + """
resource "aws_lb" "edge" {
  security_groups = [aws_security_group.open.id]
}
resource "aws_lb_target_group" "web" {}
resource "aws_lb_listener" "web" {
  load_balancer_arn = aws_lb.edge.arn
  default_action {
    target_group_arn = aws_lb_target_group.web.arn
  }
}
resource "aws_ecs_service" "web" {
  load_balancer {
    target_group_arn = aws_lb_target_group.web.arn
  }
}
resource "aws_lb" "inner" {
  internal        = true
  security_groups = [aws_security_group.open.id]
}
resource "aws_lb" "office" {
  security_groups = [aws_security_group.inner.id]
}
resource "aws_lb" "unknown" {
  security_groups = [var.group]
}
"""
    )
    assert set(found) == {
        "aws_lb.edge",
        "aws_lb_listener.web",
        "aws_lb_target_group.web",
        "aws_ecs_service.web",
        "aws_security_group.open",
    }
    edge = (
        "aws_lb.edge (main.tf:27): it is internet-facing; aws_security_group.open allows port 443"
        " from anywhere (main.tf:10)"
    )
    assert found["aws_lb.edge"] == edge
    assert found["aws_ecs_service.web"] == (
        f"{edge} -> aws_lb_listener.web (main.tf:32) -> aws_lb_target_group.web (main.tf:34)"
        " -> aws_ecs_service.web (main.tf:39)"
    )


@pytest.mark.parametrize(
    ("public", "group", "expected"),
    [("true", "open", True), ("false", "open", False), ("true", "inner", False)],
)
def test_a_public_database_is_exposed_only_with_an_open_group(
    public: str, group: str, *, expected: bool
) -> None:
    database = f"""
resource "aws_db_instance" "orders" {{
  publicly_accessible    = {public}
  vpc_security_group_ids = [aws_security_group.{group}.id]
}}
"""
    assert ("aws_db_instance.orders" in reached(NETWORK + database)) is expected


def test_a_network_balancer_whose_groups_are_known_after_apply_has_groups() -> None:
    def plan(expressions: dict[str, Any]) -> str:
        values = {"load_balancer_type": "network", "internal": False}
        edge = {"address": "aws_lb.edge", "type": "aws_lb", "name": "edge", "mode": "managed"}
        group = {"address": "aws_security_group.own", "type": "aws_security_group", "name": "own"}
        return json.dumps(
            {
                "format_version": "1.2",
                "planned_values": {
                    "root_module": {"resources": [{**edge, "values": values}, group]}
                },
                "configuration": {
                    "root_module": {"resources": [{**edge, "expressions": expressions}, group]}
                },
            }
        )

    named = {"security_groups": {"references": ["aws_security_group.own.id"]}}
    assert "aws_lb.edge" in reached(plan({}), path="plan.json")
    assert reached(plan(named), path="plan.json") == {}


def test_a_machine_needs_a_public_address_as_well() -> None:
    machines = "".join(
        f"""
resource "aws_instance" "{name}" {{
  {subnet}
  vpc_security_group_ids = [aws_security_group.open.id]
}}
"""
        for name, subnet in (
            ("public", "subnet_id = aws_subnet.public.id"),
            ("private", "subnet_id = var.subnet"),
            ("given", "associate_public_ip_address = true"),
        )
    )
    found = reached(NETWORK + machines)
    assert [name for name in found if name.startswith("aws_instance")] == [
        "aws_instance.given",
        "aws_instance.public",
    ]


def test_a_public_bucket_is_exposed_unless_its_account_blocks_that() -> None:
    statement = '{ Effect = "Allow", Principal = "*", Action = "s3:GetObject" }'
    site = f"""
resource "aws_s3_bucket" "site" {{}}
resource "aws_s3_bucket_policy" "site" {{
  bucket = aws_s3_bucket.site.id
  policy = jsonencode({{ Statement = [{statement}] }})
}}
resource "aws_s3_bucket" "data" {{}}
"""
    assert set(reached(site)) == {"aws_s3_bucket.site", "aws_s3_bucket_policy.site"}
    block = """
resource "aws_s3_bucket_public_access_block" "site" {
  bucket                  = aws_s3_bucket.site.id
  restrict_public_buckets = true
}
"""
    assert reached(site + block) == {}


def test_compose_ports_on_loopback_are_not_exposed() -> None:
    text = """
services:
  web: {image: web, ports: ["80:80"]}
  admin: {image: admin, ports: ["127.0.0.1:8080:80"]}
  metrics: {image: metrics, ports: [{target: 9, published: "9", host_ip: "::1"}]}
  db: {image: db, expose: ["5432"]}
"""
    assert set(reached(text, path="compose.yaml")) == {"compose/web"}
    bare = reached("services: {api: {image: api, ports: [3000]}}", path="compose.yaml")
    assert "the container's port 3000 is published" in bare["compose/api"]


def test_an_internal_kubernetes_balancer_is_not_exposed() -> None:
    text = "\n---\n".join(
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, annotations: {notes}}}\n"
        f"spec: {{type: {kind}, selector: {{app: {name}}}}}"
        for name, kind, notes in (
            ("shop", "LoadBalancer", "{}"),
            ("node", "NodePort", "{}"),
            ("own", "ClusterIP", "{}"),
            (
                "office",
                "LoadBalancer",
                '{service.beta.kubernetes.io/aws-load-balancer-internal: "true"}',
            ),
        )
    )
    assert set(reached(text, path="app.yaml")) == {"Service/default/shop", "Service/default/node"}


def test_azure_and_google_machines_need_an_address_and_an_open_rule() -> None:
    azure = """
resource "azurerm_public_ip" "web" {}
resource "azurerm_network_interface" "web" {
  ip_configuration {
    public_ip_address_id = azurerm_public_ip.web.id
  }
}
resource "azurerm_linux_virtual_machine" "web" {
  network_interface_ids = [azurerm_network_interface.web.id]
}
resource "azurerm_network_interface_security_group_association" "web" {
  network_interface_id      = azurerm_network_interface.web.id
  network_security_group_id = azurerm_network_security_group.web.id
}
resource "azurerm_network_security_group" "web" {
  security_rule {
    direction              = "Inbound"
    access                 = "ACCESS"
    source_address_prefix  = "Internet"
    destination_port_range = "22"
  }
}
"""
    assert "azurerm_linux_virtual_machine.web" in reached(azure.replace("ACCESS", "Allow"))
    assert reached(azure.replace("ACCESS", "Deny")) == {}
    google = """
resource "google_compute_firewall" "web" {
  network       = "default"
  source_ranges = ["0.0.0.0/0"]
  target_tags   = ["web"]
  allow { protocol = "tcp" }
}
resource "google_compute_instance" "web" {
  tags = ["TAG"]
  network_interface {
    network = "default"
    access_config {}
  }
}
"""
    assert set(reached(google.replace("TAG", "web"))) == {"google_compute_instance.web"}
    assert reached(google.replace("TAG", "db")) == {}


def test_machines_behind_an_azure_balancer_need_an_open_rule_of_their_own() -> None:
    text = """
resource "azurerm_public_ip" "edge" {}
resource "azurerm_lb" "edge" {
  frontend_ip_configuration {
    public_ip_address_id = azurerm_public_ip.edge.id
  }
}
resource "azurerm_lb_backend_address_pool" "web" {
  loadbalancer_id = azurerm_lb.edge.id
}
resource "azurerm_network_security_group" "web" {
  security_rule {
    direction             = "Inbound"
    access                = "Allow"
    source_address_prefix = "SOURCE"
  }
}
resource "azurerm_linux_virtual_machine_scale_set" "web" {
  network_interface {
    network_security_group_id = azurerm_network_security_group.web.id
    ip_configuration {
      load_balancer_backend_address_pool_ids = [azurerm_lb_backend_address_pool.web.id]
    }
  }
}
"""
    front = {"azurerm_lb.edge", "azurerm_lb_backend_address_pool.web"}
    behind = "azurerm_linux_virtual_machine_scale_set.web"
    assert set(reached(text.replace("SOURCE", "*"))) == {*front, behind}
    assert set(reached(text.replace("SOURCE", "10.0.0.0/8"))) == front


PUBLIC_AND_PRIVATE = (
    NETWORK
    + """
resource "aws_db_instance" "public" {
  publicly_accessible    = true
  vpc_security_group_ids = [aws_security_group.open.id]
}
resource "aws_db_instance" "private" {
  vpc_security_group_ids = [aws_security_group.inner.id]
}
"""
)


def test_findings_and_recommendations_say_what_the_internet_can_reach(
    db: None, alice: User
) -> None:
    run = assessed(uploaded(alice, {"main.tf": PUBLIC_AND_PRIVATE}))
    by_resource = {
        name: set(
            Finding.objects.filter(run=run, resource=name, agent="security").values_list(
                "is_exposed", flat=True
            )
        )
        for name in ("aws_db_instance.public", "aws_db_instance.private")
    }
    assert by_resource == {"aws_db_instance.public": {True}, "aws_db_instance.private": {False}}
    assert not run.findings.filter(agent="cost", is_exposed=True).exists()
    client = Client()
    client.force_login(alice)
    one = run.findings.filter(is_exposed=True, agent="security").first()
    assert one is not None
    page = client.get(reverse("finding", args=[one.pk])).content.decode()
    assert "Internet-facing" in page
    assert one.detail["exposure"].split(";")[0] in page
    answer = client.get(f"/api/v1/assessments/{run.assessment_id}/recommendations").json()
    assert answer["recommendations"][0]["is_exposed"]
    document = document_of(run)
    shown = [each for each in document["findings"] if each["is_exposed"]]
    assert all(
        "it is publicly accessible" in each["exposure"] or "uses it" in each["exposure"]
        for each in shown
    )
    first = run.recommendations.first()
    assert first is not None and first.is_exposed and first.impact["exposure"]
    within = [r for r in run.recommendations.all() if r.severity == first.severity]
    assert [r.is_exposed for r in within] == sorted((r.is_exposed for r in within), reverse=True)
