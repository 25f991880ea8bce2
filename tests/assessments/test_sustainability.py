"""Energy and carbon on hand-computed cases of the Cloud Carbon Footprint methodology."""

from __future__ import annotations

from typing import Any

import pytest

from assessments.agents.sustainability import agent
from assessments.agents.sustainability.carbon import compute_energy, network_energy, storage_energy
from assessments.agents.sustainability.grids import Place, grid_factor, grid_factors
from assessments.agents.sustainability.shapes import processors_of
from assessments.agents.types import AgentInput, AgentResult, AgentStatus
from assessments.requirements import Requirements
from assessments.scan.types import FileKind, Reference, Resource


def declared(kind: str, name: str, **attributes: Any) -> Resource:
    return Resource(
        address=f"{kind}.{name}",
        type=kind,
        name=name,
        provider="aws",
        origin=FileKind.TERRAFORM,
        file="main.tf",
        line_start=3,
        line_end=9,
        exact=False,
        attributes=attributes,
    )


def assess(*resources: Resource, **wanted: Any) -> AgentResult:
    data = AgentInput(
        resources=list(resources), requirements=Requirements(**{"regions": ["us-east-1"], **wanted})
    )
    return agent.run(data, lambda done, total, message: None)


def figure(result: AgentResult, key: str) -> Any:
    return next(each.value for each in result.figures if each.key == key)


def test_a_machine_uses_what_the_hand_computes() -> None:
    # m5.large, Skylake: (0.65 + 0.5 x (4.26 - 0.65)) W x 2 vCPU x 730 h / 1000 x 1.135 = 2.455 x 2
    # x 0.73 x 1.135
    energy = compute_energy("m5.large", count=1, utilisation=0.5)
    assert energy and energy.kwh == pytest.approx(4.0681805)
    # c5.large, Cascade Lake or Skylake: means 0.645 and 4.115
    energy = compute_energy("c5.large", count=3, utilisation=0.2)
    assert energy and energy.kwh == pytest.approx((0.645 + 0.2 * 3.47) * 2 * 3 * 0.73 * 1.135)


def test_storage_and_network_use_what_the_hand_computes() -> None:
    # 0.5 TB x 730 h x 1.2 Wh / 1000 x 2 copies x 1.135; 1,000 GB x 0.001 kWh
    assert storage_energy(500, disk=False, copies=2).kwh == pytest.approx(0.99426)
    assert network_energy(1000).kwh == 1.0


def test_carbon_is_energy_times_the_regions_grid() -> None:
    result = assess(declared("aws_instance", "web", instance_type="m5.large"))
    assert figure(result, "energy") == 4.07
    assert figure(result, "carbon") == 1.46  # 4.0681805 x 0.36002
    assert (
        figure(
            assess(declared("aws_instance", "w", instance_type="m5.large"), regions=["eu-north-1"]),
            "carbon",
        )
        == 0.08  # 4.0681805 x 0.01975
    )


def test_azure_and_google_machines_use_what_the_hand_computes() -> None:
    # D4s_v5 has no figures of its own: Azure's average, (0.74 + 0.5 x 2.8) W x 4 x 0.73 x 1.185
    energy = compute_energy("Standard_D4s_v5", count=1, utilisation=0.5, provider="azure")
    assert energy and energy.kwh == pytest.approx(7.404828)
    # D2s_v3: means of Cascade Lake, Skylake, Broadwell, Haswell, 0.75 and 4.165
    energy = compute_energy("Standard_D2s_v3", count=2, utilisation=0.2, provider="azure")
    assert energy and energy.kwh == pytest.approx((0.75 + 0.2 * 3.415) * 2 * 2 * 0.73 * 1.185)
    # n1: Sandy and Ivy Bridge are among its processors, so the medians, 1 and 4.74
    energy = compute_energy("n1-standard-4", count=1, utilisation=0.5, provider="gcp")
    assert energy and energy.kwh == pytest.approx(2.87 * 4 * 0.73 * 1.1)
    # e2-micro sustains a quarter of a vCPU, at the medians of all processors
    energy = compute_energy("e2-micro", count=1, utilisation=0.5, provider="gcp")
    assert energy and energy.kwh == pytest.approx((0.68 + 0.5 * 3.43) * 0.25 * 0.73 * 1.1)


@pytest.mark.parametrize(
    ("provider", "kind", "vcpus"),
    [
        ("azure", "Standard_DS3_v2", 4),
        ("azure", "Standard_B2ms", 2),
        ("azure", "Standard_A4m_v2", 4),
        ("azure", "Standard_E64-16ds_v4", 64),
        ("azure", "Standard_M128s", 128),
        ("azure", "Standard_NC4as_T4_v3", None),
        ("azure", "large", None),
        ("gcp", "n2d-highmem-16", 16),
        ("gcp", "n2-custom-6-20480-ext", 6),
        ("gcp", "custom-4-8192", 4),
        ("gcp", "db-custom-2-7680", 2),
        ("gcp", "c3-standard-8-lssd", 8),
        ("gcp", "standard", None),
        ("aws", "m5.large", 2),
        ("aws", "m5", None),
    ],
)
def test_vcpus_are_read_from_the_types_name(provider: str, kind: str, vcpus: int | None) -> None:
    found = processors_of(provider, kind)
    assert (found.vcpus if found else None) == vcpus


def test_grids_are_those_of_the_packages_with_their_period() -> None:
    # 394.769 lb a MWh x 0.45359237, eGRID 2023
    factor, cited = grid_factor(Place("aws", "us-west-1"))
    assert factor == 0.17906 and "California, 2023" in cited and "codecarbon 3.3.2" in cited
    factor, cited = grid_factor(Place("azure", "swedencentral"))
    assert factor == 0.01975 and "2025-10-25 to 2026-10-24" in cited and "greenpick" in cited
    assert grid_factor(Place("gcp", "europe-west9"))[0] == 0.034
    held = grid_factors("azure").values()
    factor, cited = grid_factor(Place("azure", "nowhere"))
    assert factor == pytest.approx(sum(held) / len(held), abs=1e-5) and "the mean of" in cited


def test_three_clouds_run_on_the_grids_of_their_own_regions() -> None:
    group = declared("azurerm_resource_group", "main", location="West Europe")
    azure = declared("azurerm_linux_virtual_machine", "vm", size="Standard_D4s_v5").replace(
        references=[Reference(to=group.address, at="location", line=4)]
    )
    google = declared(
        "google_compute_instance", "vm", machine_type="n1-standard-4", zone="europe-west9-b"
    )
    aws = declared("aws_instance", "web", instance_type="m5.large")
    result = assess(group, azure, google, aws)
    assert figure(result, "region") == "us-east-1, westeurope, europe-west9"
    # 4.0681805 x 0.36002 + 7.404828 x 0.26762 + 9.21844 x 0.034
    assert figure(result, "carbon") == 3.76
    alone = assess(azure, regions=[])
    assert figure(alone, "region") == "Azure, region unknown"
    assert figure(assess(azure, regions=["swedencentral"]), "region") == "swedencentral"
    assert not [each for each in alone.findings if each.rule == "im-sus-region"]


def test_the_carbon_budget_gap_is_a_finding_and_lowers_the_score() -> None:
    machine = declared("aws_instance", "web", instance_type="m6g.large")
    free = assess(machine, regions=["eu-north-1"])
    inside, over = (
        assess(machine, regions=["eu-north-1"], monthly_carbon_budget_kg=budget)
        for budget in (10, 0.02)
    )
    # 1.789668 kWh x 0.01975 = 0.0353 kgCO2e; 0.02 / 0.0353 = 57 %
    assert "monthly_carbon_budget_kg" in free.missing and (free.score, inside.score) == (100, 100)
    assert (figure(inside, "carbon_budget_left"), inside.findings) == (9.96, [])
    assert (figure(over, "carbon_budget_left"), over.score) == (-0.02, 57)
    assert [(each.rule, each.severity.name) for each in over.findings] == [
        ("im-sus-budget", "HIGH")
    ]
    assert over.findings[0].actual == "0.04 kgCO2e a month, 0.02 kgCO2e over"


def test_a_carbon_budget_without_machines_is_not_assessed() -> None:
    result = assess(declared("aws_iam_role", "x"), monthly_carbon_budget_kg=1)
    assert (result.status, result.findings) == (AgentStatus.NOT_ASSESSED, [])


def test_each_resource_runs_on_the_grid_of_its_own_region() -> None:
    here = declared("aws_instance", "here", instance_type="m5.large")
    away = declared("aws_instance", "away", instance_type="m5.large")
    north = away.replace(region="eu-north-1")
    both = assess(here, north)
    alone = assess(here), assess(away, regions=["eu-north-1"])
    assert figure(both, "region") == "eu-north-1, us-east-1"
    assert figure(both, "carbon") == pytest.approx(
        sum(figure(each, "carbon") for each in alone), abs=0.011
    )
    assert min(e.score or 0 for e in alone) < (both.score or 0) < max(e.score or 0 for e in alone)
    table = next(each for each in both.tables if each.key == "carbon")
    assert {(row[0], row[2]) for row in table.rows} == {
        ("aws_instance.here", "us-east-1"),
        ("aws_instance.away", "eu-north-1"),
    }


def test_the_default_utilisation_is_said_to_be_assumed() -> None:
    machine = declared("aws_instance", "web", instance_type="m5.large")
    default, stated = assess(machine), assess(machine, average_utilisation_percent=10)
    assert "assumed" in next(each.source for each in default.figures if each.key == "utilisation")
    assert figure(stated, "energy") < figure(default, "energy")


def test_a_standby_doubles_a_databases_energy() -> None:
    def database(multi: bool) -> Resource:
        return declared(
            "aws_db_instance",
            "x",
            instance_class="db.m5.large",
            multi_az=multi,
            allocated_storage=100,
        )

    single, double = (figure(assess(database(multi)), "energy") for multi in (False, True))
    assert double == pytest.approx(2 * single, abs=0.011)


def test_an_arm64_processor_is_suggested_with_the_energy_it_saves() -> None:
    result = assess(declared("aws_instance", "web", instance_type="m5.large"))
    found = [each for each in result.findings if each.rule == "im-sus-processor"]
    # m6g.large, Graviton2: (0.47 + 0.5 x 1.22) x 2 x 0.73 x 1.135 = 1.79 kWh
    assert [each.expected for each in found] == ["m6g.large: 1.79 kWh a month"]
    moved = assess(declared("aws_instance", "web", instance_type="m6g.large"))
    assert not [each for each in moved.findings if each.rule == "im-sus-processor"]
    assert (moved.score or 0) > (result.score or 0)


def test_what_does_not_run_on_arm64_is_not_moved_there() -> None:
    windows = {"instance_type": "m5.large", "get_password_data": True}
    licensed = {"instance_class": "db.m5.large", "engine": "sqlserver-se"}
    result = assess(
        declared("aws_instance", "desk", **windows), declared("aws_db_instance", "hr", **licensed)
    )
    assert not [each for each in result.findings if each.rule == "im-sus-processor"]
    open_source = declared("aws_db_instance", "db", **{**licensed, "engine": "mysql"})
    found = {each.rule for each in assess(open_source).findings}
    assert "im-sus-processor" in found


def test_a_cleaner_region_in_the_same_part_of_the_world_is_suggested() -> None:
    machine = declared("aws_instance", "web", instance_type="m6g.large")
    assert [each.rule for each in assess(machine, regions=["eu-central-1"]).findings] == [
        "im-sus-region"
    ]
    assert assess(machine, regions=["eu-north-1"]).findings == []
    assert (
        assess(machine, regions=["eu-north-1"]).score,
        assess(machine, regions=["af-south-1"]).score,
    ) == (100, 53)


def test_accelerators_and_unknown_types_are_listed_and_not_guessed() -> None:
    result = assess(
        declared("aws_instance", "web", instance_type="m5.large"),
        declared("aws_instance", "gpu", instance_type="p3.2xlarge"),
        declared("aws_instance", "odd", instance_type="zz9.large"),
    )
    assert figure(result, "energy") == 4.07
    listed = next(each.rows for each in result.tables if each.key == "not_estimated")
    assert [row[0] for row in listed] == ["aws_instance.gpu", "aws_instance.odd"]


def test_nothing_that_uses_energy_is_not_assessed() -> None:
    for result in (assess(), assess(declared("aws_iam_role", "x")), assess(egress_gb_month=100)):
        assert (result.status, result.score, result.figures) == (AgentStatus.NOT_ASSESSED, None, [])
        assert result.reason


def test_every_figure_and_table_has_a_source_and_order_changes_nothing() -> None:
    parts = [declared("aws_instance", name, instance_type="t3.large") for name in "abc"]
    parts.append(declared("aws_ebs_volume", "v", type="st1", size=100))
    result = assess(*parts, egress_gb_month=10)
    assert all(each.source for each in result.figures) and all(
        each.source for each in result.tables
    )
    assert result == assess(*reversed(parts), egress_gb_month=10)
