"""The path of a request as the references show it, for each kind of file: what an engineer would
draw."""

from __future__ import annotations

from assessments.agents.references import read_graph
from assessments.agents.request_path import request_paths
from tests.assessments.scanning import files_of, scan

CLUSTER = """
resource "aws_lb" "edge" {}
resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.edge.arn
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web.arn
  }
}
resource "aws_lb_target_group" "web" {}
resource "aws_ecs_service" "web" {
  task_definition = aws_ecs_task_definition.web.arn
  load_balancer {
    target_group_arn = aws_lb_target_group.web.arn
  }
  network_configuration {
    subnets         = ["a"]
    security_groups = [aws_security_group.web.id]
  }
}
resource "aws_ecs_task_definition" "web" {
  container_definitions = jsonencode([{
    environment = [{ name = "CACHE", value = aws_elasticache_replication_group.hot.id }]
  }])
}
resource "aws_security_group" "web" {}
resource "aws_security_group" "data" {
  ingress {
    from_port       = 5432
    to_port         = 5432
    protocol        = "tcp"
    security_groups = [aws_security_group.web.id]
  }
}
resource "aws_elasticache_replication_group" "hot" {}
resource "aws_db_instance" "orders" {
  vpc_security_group_ids = [aws_security_group.data.id]
}
resource "aws_db_instance" "reports" {}
resource "aws_lambda_function" "nightly" {
  s3_bucket = aws_s3_bucket.code.id
}
resource "aws_s3_bucket" "code" {}
"""
STACK = """
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Edge: {Type: AWS::CloudFront::Distribution, Properties: {DistributionConfig: {Enabled: true,
    Logging: {Bucket: !GetAtt Logs.DomainName},
    Origins: [{Id: api, DomainName: !Sub "${Api}.execute-api.eu-west-1.amazonaws.com"}]}}}
  Logs: {Type: AWS::S3::Bucket}
  Api: {Type: AWS::ApiGatewayV2::Api, Properties: {Name: shop, ProtocolType: HTTP}}
  Route: {Type: AWS::ApiGatewayV2::Route, Properties: {ApiId: !Ref Api, RouteKey: $default,
    Target: !Join [/, [integrations, !Ref Integration]]}}
  Integration: {Type: AWS::ApiGatewayV2::Integration, Properties: {ApiId: !Ref Api,
    IntegrationType: AWS_PROXY, IntegrationUri: !GetAtt Handler.Arn}}
  Handler: {Type: AWS::Lambda::Function, Properties: {Role: !GetAtt Role.Arn,
    Code: {S3Bucket: !Ref Logs, S3Key: x}}}
  Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}
  Policy: {Type: AWS::IAM::Policy, Properties: {PolicyName: x, Roles: [!Ref Role],
    PolicyDocument: {Statement: [{Effect: Allow, Action: "*", Resource: !GetAtt Orders.Arn}]}}}
  Orders: {Type: AWS::DynamoDB::Table}
"""
MANIFESTS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec: {rules: [{http: {paths: [{backend: {service: {name: web, port: {number: 80}}}}]}}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    metadata: {labels: {app: web, tier: front}}
    spec:
      containers:
        - name: web
          env: [{name: CART_URL, value: "http://cart.default.svc.cluster.local:80/x"}]
          envFrom: [{configMapRef: {name: settings}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {REDIS_HOST: redis, THEME: batch}
---
apiVersion: v1
kind: Service
metadata: {name: cart}
spec: {selector: {app: cart}}
---
apiVersion: v1
kind: Service
metadata: {name: redis}
spec: {selector: {app: redis}}
---
apiVersion: v1
kind: Service
metadata: {name: batch}
spec: {selector: {app: batch}}
"""
WORKLOAD = """
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec: {template: {metadata: {labels: {app: NAME}}, spec: {containers: [{name: NAME}]}}}
"""
COMPOSE = """
services:
  web: {image: nginx, ports: ["80:80"], depends_on: [api]}
  api: {image: api, environment: ["DATABASE_URL=postgres://shop:hunter22@db:5432/shop"]}
  db: {image: postgres, ports: ["5432:5432"]}
  mail: {image: mail}
"""
AZURE = """
resource "azurerm_lb" "edge" {}
resource "azurerm_lb_backend_address_pool" "pool" {
  loadbalancer_id = azurerm_lb.edge.id
}
resource "azurerm_network_interface" "web" {
  count = 2
}
resource "azurerm_network_interface_backend_address_pool_association" "web" {
  count                   = 2
  network_interface_id    = azurerm_network_interface.web[count.index].id
  backend_address_pool_id = azurerm_lb_backend_address_pool.pool.id
}
resource "azurerm_linux_virtual_machine" "web" {
  count                 = 2
  network_interface_ids = [azurerm_network_interface.web[count.index].id]
}
"""
GOOGLE = """
resource "google_compute_global_forwarding_rule" "https" {
  target = google_compute_target_https_proxy.https.id
}
resource "google_compute_target_https_proxy" "https" {
  url_map = google_compute_url_map.web.id
}
resource "google_compute_url_map" "web" {
  default_service = google_compute_backend_service.web.id
}
resource "google_compute_backend_service" "web" {
  backend {
    group = google_compute_region_network_endpoint_group.web.id
  }
}
resource "google_compute_region_network_endpoint_group" "web" {
  cloud_run { service = google_cloud_run_v2_service.web.name }
}
resource "google_cloud_run_v2_service" "web" {
  template {
    containers {
      env {
        name  = "DB"
        value = google_sql_database_instance.orders.connection_name
      }
    }
  }
}
resource "google_sql_database_instance" "orders" {}
"""


def drawn(text: str, *, path: str = "main.tf") -> list[str]:
    found = scan(files_of(**{path: text}), engines=["tfparse", "resources"])
    return [each.in_words() for each in request_paths(read_graph(found.resources))]


def test_a_balancer_leads_by_its_target_group_to_the_service_and_what_that_names() -> None:
    assert drawn(CLUSTER) == [
        "aws_lb.edge -> aws_ecs_service.web -> aws_db_instance.orders,"
        " aws_elasticache_replication_group.hot"
    ]


def test_an_application_that_is_told_its_own_public_name_is_still_behind_the_balancer() -> None:
    told = CLUSTER.replace(
        "environment = [", 'environment = [{ name = "URL", value = aws_lb.edge.dns_name }, '
    )
    assert told != CLUSTER
    assert drawn(told) == drawn(CLUSTER)


def test_every_hop_names_its_line() -> None:
    found = scan(files_of(**{"main.tf": CLUSTER}), engines=["tfparse"])
    (path,) = request_paths(read_graph(found.resources))
    assert {hop.target.address: hop.place for hop in path.hops} == {
        "aws_lb_listener.https": "main.tf:4",
        "aws_lb_target_group.web": "main.tf:7",
        "aws_ecs_service.web": "main.tf:14",
        "aws_ecs_task_definition.web": "main.tf:12",
        "aws_elasticache_replication_group.hot": "main.tf:23",
        "aws_db_instance.orders": "main.tf:32",
    }


def test_a_log_bucket_is_no_origin_and_a_role_leads_to_its_table() -> None:
    assert drawn(STACK, path="stack.yaml") == ["Edge -> Api -> Handler -> Orders"]


def test_an_ingress_leads_by_selectors_and_settings_and_not_by_a_word_that_is_a_name() -> None:
    manifests = MANIFESTS + "".join(
        WORKLOAD.replace("NAME", name) for name in ("cart", "redis", "batch")
    )
    assert drawn(manifests, path="app.yaml") == [
        "Ingress/default/shop -> Deployment/default/web -> Deployment/default/cart,"
        " Deployment/default/redis"
    ]


def test_a_published_port_leads_to_what_the_services_depend_on() -> None:
    assert drawn(COMPOSE, path="compose.yaml") == ["compose/web -> compose/api, compose/db"]


def test_azure_machines_behind_one_pool_share_the_work() -> None:
    assert drawn(AZURE) == ["azurerm_lb.edge -> azurerm_linux_virtual_machine.web[0] and 1 more"]


def test_a_forwarding_rule_leads_by_its_proxy_to_cloud_run_and_its_database() -> None:
    assert drawn(GOOGLE) == [
        "google_compute_global_forwarding_rule.https -> google_cloud_run_v2_service.web"
        " -> google_sql_database_instance.orders"
    ]


def test_a_balancer_that_leads_nowhere_is_no_path() -> None:
    assert drawn('resource "aws_lb" "edge" {}\nresource "aws_ecs_service" "web" {}\n') == []
