"""The map: which of a run's resources are drawn, where, and the paths from the internet to data."""

from __future__ import annotations

import json
import time
from itertools import combinations
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from xml.etree import ElementTree as ET

import pytest
from django.test import Client
from django.urls import reverse

from assessments.diagram.build import diagram
from assessments.diagram.edges import edges_of
from assessments.diagram.fold import MAX_DRAWN, MAX_LINES, Box, Line, View, view_of
from assessments.diagram.layout import Layout, Placed, layout_of
from assessments.diagram.svg import Look, svg_of
from assessments.diagram.types import (
    INTERNET,
    Diagram,
    FoundProblem,
    GroupKind,
    Link,
    Node,
    Role,
)
from assessments.models import AssessmentRun, MergedScan
from assessments.muting import mute_finding
from assessments.scan.types import FileKind, Reference, Resource, Scope, ScopeKind
from assessments.services import start_analysis
from tests.assessments.rows import assessed, sample_files, uploaded, written
from tests.assessments.scanning import files_of, scan

if TYPE_CHECKING:
    from django.contrib.auth.models import User

HOSTILE = "<script>alert(1)</script>"
SHOP = """
resource "aws_vpc" "main" { cidr_block = "10.0.0.0/16" }
resource "aws_internet_gateway" "main" { vpc_id = aws_vpc.main.id }
resource "aws_subnet" "public" {
  vpc_id                  = aws_vpc.main.id
  map_public_ip_on_launch = true
}
resource "aws_security_group" "web" {
  vpc_id = aws_vpc.main.id
}
resource "aws_security_group_rule" "ssh" {
  type              = "ingress"
  security_group_id = aws_security_group.web.id
  from_port         = 22
  to_port           = 22
  protocol          = "tcp"
  cidr_blocks       = ["0.0.0.0/0"]
}
resource "aws_instance" "web" {
  ami                    = "ami-1"
  instance_type          = "t3.small"
  subnet_id              = aws_subnet.public.id
  vpc_security_group_ids = [aws_security_group.web.id]
  user_data              = "db=${aws_db_instance.orders.address}"
}
resource "aws_db_instance" "orders" {
  instance_class = "db.t3.small"
  engine         = "postgres"
}
"""


def drawn_from(text: str, *findings: FoundProblem, path: str = "main.tf") -> Diagram:
    found = scan(files_of(**{path: text}), engines=["tfparse", "resources"])
    (scope,) = found.scopes
    placed = [each.replace(scope=scope.key) for each in findings]
    return diagram(found.resources, edges_of(found.resources), placed, found.scopes)


def problem(resource: str, **more: Any) -> FoundProblem:
    fields: dict[str, Any] = {
        "id": str(uuid4()),
        "agent": "security",
        "rule": "CKV_AWS_24",
        "title": "SSH is open to the internet",
        "severity": 4,
        "scope": "",
        "file": "main.tf",
        "resource": resource,
    }
    return FoundProblem(**{**fields, **more})


def named(drawn: Diagram, address: str) -> Node:
    (node,) = [each for each in drawn.nodes if each.address == address]
    return node


def made_up(count: int, *, scopes: int = 1) -> tuple[list[Resource], list[Scope]]:
    """``count`` Terraform resources in chains of five."""
    listed = [
        Resource(
            scope=f"s{number % scopes}" if scopes > 1 else "",
            address=f"aws_instance.n{number}",
            type="aws_instance",
            name=f"n{number}",
            provider="aws",
            origin=FileKind.TERRAFORM,
            file="main.tf",
            line_start=number + 1,
            line_end=number + 1,
            exact=True,
            references=(
                [Reference(to=f"aws_instance.n{number + scopes}", at="user_data", line=number + 1)]
                if number // scopes % 5
                else []
            ),
        )
        for number in range(count)
    ]
    keys = [f"s{number}" for number in range(scopes)]
    return listed, [Scope(key=key, kind=ScopeKind.TERRAFORM, label=key) for key in keys]


def test_a_way_from_the_internet_to_data_is_drawn_with_the_findings_that_open_it() -> None:
    drawn = drawn_from(SHOP, problem("aws_security_group_rule.ssh"))
    names = {node.id: node.name for node in drawn.nodes}
    (path,) = drawn.paths
    assert path.steps[0].source == INTERNET
    assert [names[step.target] for step in path.steps] == ["web", "orders"]
    assert [each.title for each in path.steps[0].opened_by] == ["SSH is open to the internet"]
    assert path.steps[0].place == "main.tf:19" and "port 22" in path.steps[0].why
    assert path.steps[1].opened_by == []


def test_a_finding_that_opens_nothing_is_counted_but_not_named_at_a_step() -> None:
    drawn = drawn_from(SHOP, problem("aws_instance.web", rule="CKV_AWS_8", severity=3))
    assert named(drawn, "aws_instance.web").findings == {"security": [0, 0, 0, 1, 0]}
    assert all(not step.opened_by for path in drawn.paths for step in path.steps)


def test_resources_stand_in_their_network_and_subnet_and_rules_belong_to_their_group() -> None:
    drawn = drawn_from(SHOP)
    groups = {group.id: group for group in drawn.groups}
    subnet = groups[named(drawn, "aws_instance.web").group]
    assert (subnet.kind, subnet.label) == (GroupKind.SUBNET, "public")
    assert (groups[subnet.parent].kind, groups[subnet.parent].label) == (GroupKind.NETWORK, "main")
    assert named(drawn, "aws_vpc.main").is_group
    assert named(drawn, "aws_db_instance.orders").group == ""
    group = named(drawn, "aws_security_group.web")
    assert [part.address for part in group.parts] == ["aws_security_group_rule.ssh"]
    assert len(drawn.nodes) == 6


def test_kubernetes_stands_in_namespaces_and_a_data_image_ends_a_path() -> None:
    text = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: LoadBalancer, selector: {app: web}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: shop/web:1, env: [{name: DB_HOST, value: db}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {selector: {app: db}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: "postgres:17"}]}
"""
    found = scan(files_of(**{"shop.yaml": text}), engines=["resources"])
    drawn = diagram(found.resources, edges_of(found.resources), (), found.scopes)
    names = {node.id: (node.type, node.name) for node in drawn.nodes}
    (path,) = drawn.paths
    assert [names[step.target] for step in path.steps] == [
        ("Service", "web"),
        ("Deployment", "web"),
        ("Service", "db"),
        ("StatefulSet", "db"),
    ]
    assert {group.label for group in drawn.groups} == {"shop"}


def ancestors(layout: Layout, placed: Placed) -> set[str]:
    parents = {each.box.id: each.box.parent for each in layout.boxes}
    found: set[str] = set()
    box = placed.box.parent
    while box:
        found.add(box)
        box = parents[box]
    return found


def check_sound(layout: Layout) -> None:
    """No two boxes overlap, frames contain their content, lines start and end at their boxes."""
    for one, other in combinations(layout.boxes, 2):
        if one.box.id in ancestors(layout, other):
            assert one.x <= other.x and other.x + other.width <= one.x + one.width
            assert one.y <= other.y and other.y + other.height <= one.y + one.height
        elif other.box.id not in ancestors(layout, one):
            apart_x = one.x + one.width <= other.x + 0.1 or other.x + other.width <= one.x + 0.1
            apart_y = one.y + one.height <= other.y + 0.1 or other.y + other.height <= one.y + 0.1
            assert apart_x or apart_y, (one.box.id, other.box.id)
    for placed in layout.boxes:
        assert placed.x >= 0 and placed.x + placed.width <= layout.width
        assert placed.y >= 0 and placed.y + placed.height <= layout.height
    boxes = {each.box.id: each for each in layout.boxes}
    for line in layout.lines:
        for (x, y), end in zip(
            (line.points[0], line.points[-1]), (line.line.source, line.line.target), strict=True
        ):
            box = boxes[end]
            assert box.x - 1 <= x <= box.x + box.width + 1
            assert box.y - 1 <= y <= box.y + box.height + 1


def test_boxes_do_not_overlap_and_frames_hold_theirs() -> None:
    for drawn in (drawn_from(SHOP), sample_drawn()):
        layout = layout_of(view_of(drawn))
        assert len(layout.boxes) > 5
        check_sound(layout)


def sample_drawn() -> Diagram:
    found = scan(files_of(**sample_files()), engines=["tfparse", "resources"])
    return diagram(found.resources, edges_of(found.resources), (), found.scopes)


def test_the_same_input_gives_the_same_drawing() -> None:
    one, other = (
        svg_of(layout_of(view_of(sample_drawn())), look=Look(), title="Map") for _ in range(2)
    )
    assert one == other


@pytest.mark.parametrize(("count", "scopes"), [(500, 1), (500, 25), (5000, 1), (5000, 400)])
def test_hundreds_and_thousands_of_resources_are_drawn_within_bounds(
    count: int, scopes: int
) -> None:
    resources, listed = made_up(count, scopes=scopes)
    drawn = diagram(resources, edges_of(resources), (), listed)
    assert len(drawn.nodes) == count
    began = time.process_time()
    view = view_of(drawn)
    layout = layout_of(view)
    svg = svg_of(layout, look=Look(), title="Map")
    assert time.process_time() - began < 8  # below 1 s when idle
    assert len(view.boxes) <= MAX_DRAWN + 1
    assert len(svg) < 1_000_000
    shown = {node.id for box in view.boxes for node in box.nodes}
    assert len(shown) + sum(view.undrawn.values()) == count
    check_sound(layout)


def test_one_box_with_hundreds_of_lines_does_not_hold_the_process_up() -> None:
    """18 s with the engine's own settings, while every socket of the process waits."""
    boxes = [Box(INTERNET), *(Box(f"r{n}", node=a_node(f"r{n}")) for n in range(MAX_DRAWN))]
    lines = [Line(INTERNET, box.id, is_request=True) for box in boxes[1:]]
    began = time.process_time()
    layout = layout_of(View(boxes=boxes, lines=lines))
    assert time.process_time() - began < 5
    assert len(layout.lines) == MAX_DRAWN
    check_sound(layout)


def test_lines_past_the_limit_are_counted_and_paths_are_drawn_first() -> None:
    nodes = [a_node(f"r{n}") for n in range(80)]
    pairs = list(combinations([node.id for node in nodes], 2))
    links = [
        Link(source=pair[0], target=pair[1], why="names", place="main.tf:1", is_request=n == 500)
        for n, pair in enumerate(pairs)
    ]
    view = view_of(Diagram(nodes=nodes, links=links))
    assert len(view.lines) == MAX_LINES
    assert view.undrawn_lines == len(pairs) - MAX_LINES
    assert view.lines[0].is_request
    began = time.process_time()
    layout_of(view)
    assert time.process_time() - began < 10


def a_node(id: str) -> Node:
    return Node(
        id=id, name=id, address=id, type="aws_instance", words="instance", role=Role.COMPUTE
    )


def test_a_group_opens_and_folds_and_what_is_folded_is_one_box() -> None:
    drawn = drawn_from(SHOP)
    (network,) = [group for group in drawn.groups if group.kind == GroupKind.NETWORK]
    folded = view_of(drawn, folded={network.id})
    (box,) = [box for box in folded.boxes if box.id == network.id]
    assert not box.is_open and len(box.nodes) == 5
    to_data = {(line.source, line.target) for line in folded.lines if line.paths}
    orders = named(drawn, "aws_db_instance.orders").id
    assert to_data == {(INTERNET, network.id), (network.id, orders)}
    again = view_of(drawn, opened={network.id}, folded=set())
    assert next(box for box in again.boxes if box.id == network.id).is_open


def test_names_from_an_upload_are_text_in_the_drawing() -> None:
    (resource,), scopes = made_up(1)
    hostile = resource.replace(name=HOSTILE, address=f'a{HOSTILE}"\x00\x08\u202e', file=HOSTILE)
    drawn = diagram([hostile], [], [problem(hostile.address, title=HOSTILE)], scopes)
    svg = svg_of(
        layout_of(view_of(drawn)), look=Look(href=lambda box: f"?{HOSTILE}"), title=HOSTILE
    )
    root = ET.fromstring(svg)  # noqa: S314 - ours
    assert not [each for each in root.iter() if each.tag.endswith("script")]
    assert HOSTILE not in svg and "\x00" not in svg and "\u202e" not in svg
    assert not [each for each in root.iter() if "style" in each.attrib]
    assert not [key for each in root.iter() for key in each.attrib if key.startswith("on")]


@pytest.fixture
def shop(alice: User) -> AssessmentRun:
    return assessed(uploaded(alice, {"main.tf": SHOP, "web/compose.yaml": COMPOSE}))


COMPOSE = 'services: {cache: {image: "redis:8", ports: ["6379:6379"]}}\n'


def page_of(run: AssessmentRun, user: User, **query: str) -> str:
    client = Client()
    client.force_login(user)
    answer = client.get(reverse("run_map", args=[run.assessment_id, run.number]), query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_is_a_drawing_and_a_table_of_the_same_resources(
    shop: AssessmentRun, alice: User
) -> None:
    page = page_of(shop, alice)
    assert page.count('id="row-n') == 7 and "On a path to data" in page
    assert "Internet → web → orders" in page and "SSH" in page
    assert "<svg" in page and 'class="line path"' in page
    assert "Scope" in page and "style=" not in page.split("<svg", 1)[1]
    cost = page_of(shop, alice, cost="1")
    assert "USD a month" in cost and 'class="cost"' in cost
    searched = page_of(shop, alice, q="orders")
    assert searched.count('id="row-n') == 1
    orders = json.loads(map_json(shop, alice))["nodes"]
    (node,) = [each for each in orders if each["name"] == "orders"]
    picked = page_of(shop, alice, pick=node["id"])
    assert 'id="picked"' in picked and "Gets requests from" in picked


def map_json(run: AssessmentRun, user: User) -> bytes:
    client = Client()
    client.force_login(user)
    answer = client.get(f"/api/v1/assessments/{run.assessment_id}/runs/{run.number}/map")
    assert answer.status_code == 200
    return answer.content


def test_a_pillar_colors_by_its_own_findings_and_mutes_are_left_out(
    shop: AssessmentRun, alice: User
) -> None:
    told = json.loads(map_json(shop, alice))
    (orders,) = [each for each in told["nodes"] if each["name"] == "orders"]
    assert {"security", "reliability"} <= set(orders["findings"])
    before = sum(orders["findings"]["security"])
    finding = shop.findings.filter(agent="security", resource="aws_db_instance.orders")[0]
    mute_finding(finding, by=alice, reason="Accepted.", expires_at=None)
    (orders,) = [n for n in json.loads(map_json(shop, alice))["nodes"] if n["name"] == "orders"]
    assert sum(orders["findings"].get("security", [])) == before - 1


def test_the_file_is_an_attachment_in_plain_svg(shop: AssessmentRun, alice: User) -> None:
    client = Client()
    client.force_login(alice)
    answer = client.get(reverse("run_map_svg", args=[shop.assessment_id, shop.number]))
    assert answer["Content-Type"] == "image/svg+xml"
    assert answer["Content-Disposition"].startswith("attachment")
    root = ET.fromstring(answer.content)  # noqa: S314 - ours
    assert not [each for each in root.iter() if each.tag.endswith("}a")]


def test_a_map_is_its_owners_alone(shop: AssessmentRun, bob: User) -> None:
    client = Client()
    client.force_login(bob)
    for name in ("run_map", "run_map_svg"):
        address = reverse(name, args=[shop.assessment_id, shop.number])
        assert client.get(address).status_code == 404
    api = f"/api/v1/assessments/{shop.assessment_id}/runs/{shop.number}/map"
    assert client.get(api).status_code == 404


def test_a_run_without_a_scan_says_so(alice: User) -> None:
    task = start_analysis(uploaded(alice, {"main.tf": SHOP}), by=alice)
    run = AssessmentRun.objects.get(task=task)
    assert "The scan is still running" in page_of(run, alice)
    assert json.loads(map_json(run, alice)) == {
        "is_ready": False,
        "nodes": [],
        "groups": [],
        "links": [],
        "entries": [],
        "paths": [],
        "left_out": 0,
        "paths_left_out": False,
    }


def test_a_run_from_before_there_were_maps_has_none(shop: AssessmentRun, alice: User) -> None:
    MergedScan.objects.filter(run=shop).update(diagram=None)
    AssessmentRun.objects.filter(pk=shop.pk).update(task=None)  # it ended long ago
    assert "No map of this run" in page_of(shop, alice)


def test_choices_in_the_address_are_bounded(shop: AssessmentRun, alice: User) -> None:
    page = page_of(
        shop,
        alice,
        open=",".join(f"g{number}" for number in range(3_000)),
        fold="g1',<x>",
        pick=HOSTILE,
        pillar="nothing",
        q="x" * 5_000,
        page="999999999999",
    )
    assert HOSTILE not in page and "No resource matches" in page


def test_reports_show_the_drawing_and_the_paths(shop: AssessmentRun) -> None:
    page = written(shop, "html", kind="technical").decode()
    assert '<div class="drawing"><svg' in page and "From the internet to data" in page
    assert "<script" not in page and "style=" not in page
    assert written(shop, "pdf", kind="executive").startswith(b"%PDF")
    told = json.loads(written(shop, "json", kind="full"))["map"]
    assert "svg" not in told and told["paths"][0][0]["from"] == "Internet"
    assert "From the internet to data" in written(shop, "markdown", kind="technical").decode()
