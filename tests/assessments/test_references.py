"""Which resource names which: what the scan keeps of that."""

from __future__ import annotations

import json

from assessments.scan.hcl_mentions import mentions_of
from assessments.scan.terraform_references import MAX_STEPS, References, Sources
from tests.assessments.scanning import files_of, scan

WEB = """
locals {
  host = aws_db_instance.orders.address
  url  = "postgres://${local.host}:5432/shop"
}
resource "aws_db_instance" "orders" {
  identifier = "orders"
}
resource "aws_lb_target_group" "web" {
  count = 2
}
resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.edge.arn
  default_action {
    type             = "forward"
    # target_group_arn = aws_lb_target_group.web[1].arn
    target_group_arn = aws_lb_target_group.web[0].arn
  }
}
resource "aws_lb" "edge" {}
resource "aws_instance" "web" {
  user_data = <<EOF
export DB='${aws_db_instance.orders.address}'
EOF
  subnet_id = aws_subnet.a.id
}
resource "aws_subnet" "a" {}
module "app" {
  source   = "./app"
  database = local.url
  group    = aws_lb_target_group.web[1].arn
}
resource "aws_lambda_function" "report" {
  environment {
    variables = { URL = "${local.url}?x=1", APP = module.app.service }
  }
}
"""
APP = """
variable "database" {}
variable "group" {}
data "template_file" "containers" {
  template = "x"
  vars     = { url = var.database }
}
resource "aws_ecs_task_definition" "app" {
  container_definitions = data.template_file.containers.rendered
}
resource "aws_ecs_service" "app" {
  task_definition = aws_ecs_task_definition.app.arn
  load_balancer {
    target_group_arn = var.group
  }
}
output "service" { value = aws_ecs_service.app.id }
"""


def named(files: dict[str, str], *, engine: str) -> dict[str, set[tuple[str, str, int]]]:
    found = scan(files_of(**files), engines=[engine]).resources
    return {each.address: {(r.to, r.at, r.line) for r in each.references} for each in found}


def test_names_are_followed_through_locals_variables_data_and_outputs() -> None:
    found = named({"main.tf": WEB, "app/main.tf": APP}, engine="tfparse")
    assert found["aws_lb_listener.https"] == {
        ("aws_lb.edge", "load_balancer_arn", 13),
        ("aws_lb_target_group.web[0]", "default_action.target_group_arn", 17),
    }
    assert found["aws_lambda_function.report"] == {
        ("aws_db_instance.orders", "environment.variables.URL", 35),
        ("module.app.aws_ecs_service.app", "environment.variables.APP", 35),
    }
    assert found["aws_instance.web"] == {
        ("aws_db_instance.orders", "user_data", 23),
        ("aws_subnet.a", "subnet_id", 25),
    }
    assert found["module.app.aws_ecs_task_definition.app"] == {
        ("aws_db_instance.orders", "container_definitions", 9)
    }
    assert found["module.app.aws_ecs_service.app"] == {
        ("module.app.aws_ecs_task_definition.app", "task_definition", 12),
        ("aws_lb_target_group.web[1]", "load_balancer.target_group_arn", 14),
    }


def test_names_that_lead_in_a_circle_end() -> None:
    text = (
        'locals {\n  a = local.b\n  b = local.a\n}\nresource "aws_lb" "x" {\n  name = local.a\n}\n'
    )
    assert named({"main.tf": text}, engine="tfparse") == {"aws_lb.x": set()}


def test_locals_that_all_name_each_other_are_followed_in_bounded_time() -> None:
    names = " + ".join(f"local.l{number}" for number in range(200))
    every = "\n".join(f"  l{number} = {names}" for number in range(200))
    users = "\n".join(
        f'resource "aws_lb" "x{number}" {{\n  name = local.l{number}\n}}' for number in range(50)
    )
    files = files_of(**{"main.tf": f"locals {{\n{every}\n}}\n{users}\n"})
    blocks = [("locals", "main.tf", 1)]
    blocks += [(f"aws_lb.x{number}", "main.tf", 203 + 3 * number) for number in range(50)]
    found = References(blocks, sources=Sources(files))
    assert [found.of(*each) for each in blocks[1:]] == [[]] * 50
    assert found.left > -2 * MAX_STEPS


def test_names_are_found_wherever_an_expression_has_them() -> None:
    found = mentions_of(EVERYWHERE, path="main.tf")
    assert {(".".join(each.steps), each.indexes[1], each.at, each.line) for each in found[1]} == {
        ("aws_lb.web.arn", "[0]", ("a",), 2),
        ("module.m.out", "", ("b",), 3),
        ("aws_x.y.0.id", "", ("b",), 3),
        ("var.q", "", ("z", "for_each"), 5),
        ("aws_s.t.id", '["a"]', ("z", "t", "k"), 8),
        ("local.l", "[var.i]", ("z", "t", "q"), 9),
        ("var.i", "", ("z", "t", "q"), 9),
        ("each.value", "", ("c",), 13),
    }


EVERYWHERE = """resource "a" "b" {
  a = true ? aws_lb.web[0].arn : null # aws_no.no.id
  b = "${module.m[*].out}-$${aws_no.no.id}-${aws_x.y.0.id} aws_no.no.id"
  dynamic "z" {
    for_each = var.q
    content {
      t = {
        k = aws_s.t["a"].id
        "q" : [f(!local.l[var.i])]
      }
    }
  }
  c = (each.value)
  d = <<-EOT
    aws_no.no.id
  EOT
}
"""


def test_json_syntax_names_too() -> None:
    source = {
        "resource": {
            "aws_lb": {"web": {"subnets": ["${aws_subnet.a.id}"]}},
            "aws_subnet": {"a": {"cidr_block": "10.0.0.0/24"}},
        }
    }
    found = named({"main.tf.json": json.dumps(source, indent=2)}, engine="tfparse")
    assert {(to, at) for to, at, _ in found["aws_lb.web"]} == {("aws_subnet.a", "subnets")}


def test_a_plan_keeps_the_names_that_its_values_leave_out() -> None:
    def resource(address: str, **expressions: object) -> dict[str, object]:
        kind, name = address.split(".")
        return {"address": address, "mode": "managed", "type": kind, "name": name} | (
            {"expressions": expressions} if expressions else {"values": {}}
        )

    child = {
        "resources": [
            resource("aws_ecs_service.app", load_balancer=[{"arn": {"references": ["var.g"]}}])
        ],
        "outputs": {"id": {"expression": {"references": ["aws_ecs_service.app.id"]}}},
    }
    plan = {
        "format_version": "1.2",
        "terraform_version": "1.9.0",
        "planned_values": {
            "root_module": {
                "resources": [
                    resource("aws_lb_target_group.web"),
                    resource("aws_lambda_function.f"),
                ],
                "child_modules": [
                    {
                        "address": "module.app[0]",
                        "resources": [
                            resource("aws_ecs_service.app")
                            | {"address": "module.app[0].aws_ecs_service.app"}
                        ],
                    }
                ],
            }
        },
        "resource_changes": [],
        "configuration": {
            "root_module": {
                "resources": [
                    resource("aws_lb_target_group.web", name={"constant_value": "web"}),
                    resource(
                        "aws_lambda_function.f",
                        role={"references": ["module.app.id", "module.app"]},
                    ),
                ],
                "module_calls": {
                    "app": {
                        "expressions": {"g": {"references": ["aws_lb_target_group.web.arn"]}},
                        "module": child,
                    }
                },
            }
        },
    }
    found = named({"plan.json": json.dumps(plan)}, engine="resources")
    assert found["module.app[0].aws_ecs_service.app"] == {
        ("aws_lb_target_group.web", "load_balancer.arn", 1)
    }
    assert found["aws_lambda_function.f"] == {("module.app.aws_ecs_service.app", "role", 1)}
