"""Write assessments/data/carbon.json: Cloud Carbon Footprint's constants for AWS, kept here with
their origin.

    python scripts/build_carbon_facts.py

Constants of Cloud Carbon Footprint (Apache-2.0, Thoughtworks), from
AwsFootprintEstimationConstants.ts, AWSInstanceTypes.ts and ComputeProcessorTypes.ts at commit
0656d555; the US grid factors are from FootprintEstimationConstants.ts.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

OUTPUT = Path(__file__).resolve().parent.parent / "assessments" / "data" / "carbon.json"

# Processor: watts for one vCPU, idle and at full load (averages of SPECpower results)
WATTS = {
    "Cascade Lake": (0.64, 3.97),
    "Skylake": (0.65, 4.26),
    "Broadwell": (0.71, 3.69),
    "Haswell": (1.0, 4.74),
    "AMD EPYC 1st Gen": (0.82, 2.55),
    "AMD EPYC 2nd Gen": (0.47, 1.69),
    "AMD EPYC 3rd Gen": (0.45, 2.02),
    "AWS Graviton": (0.47, 1.69),
    "AWS Graviton2": (0.47, 1.69),
}
AVERAGE_WATTS = (0.74, 3.5)

FAMILIES = {
    "Cascade Lake": "t2 t3 m5n m5dn m5zn r5n r5dn r5b z1d",
    "Skylake": "m5 m5d",
    "Cascade Lake+Skylake": "c5 c5d c5n r5 r5d i3en",
    "Haswell+Broadwell": "m4",
    "Haswell": "c4 x1 x1e d2",
    "Broadwell": "r4 h1",
    "AMD EPYC 1st Gen": "t3a m5a m5ad r5a r5ad",
    "AMD EPYC 2nd Gen": "c5a c5ad",
    "AMD EPYC 3rd Gen": "m6a c6a",
    "AWS Graviton": "a1",
    "AWS Graviton2": "t4g m6g m6gd c6g c6gd c6gn r6g r6gd x2gd",
}
GPU_FAMILIES = "p2 p3 p3dn p4d p4de p5 g2 g3 g3s g4dn g4ad g5 g5g g6 dl1 vt1 inf1 inf2 trn1 f1"

# kgCO2e a kWh; US regions by NERC region (SERC, RFC, WECC)
GRID = {
    "us-east-1": 0.379069,
    "us-east-2": 0.410608,
    "us-west-1": 0.322167,
    "us-west-2": 0.322167,
    "us-gov-east-1": 0.379069,
    "us-gov-west-1": 0.322167,
    "af-south-1": 0.928,
    "ap-east-1": 0.81,
    "ap-south-1": 0.708,
    "ap-northeast-1": 0.506,
    "ap-northeast-2": 0.5,
    "ap-northeast-3": 0.506,
    "ap-southeast-1": 0.4085,
    "ap-southeast-2": 0.79,
    "ca-central-1": 0.13,
    "cn-north-1": 0.555,
    "cn-northwest-1": 0.555,
    "eu-central-1": 0.338,
    "eu-west-1": 0.316,
    "eu-west-2": 0.228,
    "eu-west-3": 0.052,
    "eu-south-1": 0.233,
    "eu-north-1": 0.008,
    "me-south-1": 0.732,
    "sa-east-1": 0.074,
}


def main() -> None:
    families = {
        name: processor.split("+")
        for processor, names in FAMILIES.items()
        for name in names.split()
    }
    content = {
        "header": {
            "source": "Cloud Carbon Footprint, constants for AWS, commit 0656d555",
            "url": "https://www.cloudcarbonfootprint.org/docs/methodology/",
            "version": "1",
            "as_of": "2022-12-31",
            "licence": "Apache-2.0",
            "note": (
                "Grid factors are yearly averages of 2022 or before (US eGRID, EU EEA, others by"
                " country)."
            ),
        },
        "watts": WATTS,
        "average_watts": AVERAGE_WATTS,
        "families": families,
        "gpu_families": GPU_FAMILIES.split(),
        "pue": 1.135,
        "ssd_wh_per_tb_hour": 1.2,
        "hdd_wh_per_tb_hour": 0.65,
        "ebs_replication": 2,
        "rds_multi_zone_replication": 2,
        "network_kwh_per_gb": 0.001,
        "default_utilisation_percent": 50,
        "grid_kg_per_kwh": GRID,
        "unknown_region_kg_per_kwh": 0.38738,
    }
    OUTPUT.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    sys.stdout.write(f"{OUTPUT}: {len(GRID)} regions, {len(families)} families\n")


if __name__ == "__main__":
    main()
