"""Build assessments/data/nodes.json.gz: prices of AWS's cache and search nodes by region.

    python scripts/build_node_prices.py ELASTICACHE.json OPENSEARCH.json

They are data/elasticache-instances.json and data/opensearch-instances.json of
github.com/LeanerCloud/ec2-instances-info, which takes them from ec2instances.info (MIT): AWS's
price list, on demand, USD an hour. Keys are those of cost_facts.json, whose prices take precedence.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).resolve().parent.parent / "assessments" / "data" / "nodes.json.gz"
COMMIT, AS_OF = "f9eafba8b0c94eb59a852a52c2f3c2da8370dcc5", "2025-04-24"
ENGINES = {"Redis": "redis", "Memcached": "memcached", "Valkey": "valkey"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("caches", type=Path)
    parser.add_argument("searches", type=Path)
    arguments = parser.parse_args()
    prices = {
        **cache_prices(json.loads(arguments.caches.read_text())),
        **search_prices(json.loads(arguments.searches.read_text())),
    }
    regions = sorted({region for each in prices.values() for region in each})
    content = {
        "header": {
            "source": "AWS price list of cache and search nodes, as kept by ec2instances.info",
            "url": "https://github.com/LeanerCloud/ec2-instances-info",
            "version": COMMIT[:12],
            "as_of": AS_OF,
            "licence": "MIT",
        },
        "regions": regions,
        "prices": {
            key: {"unit": "node-hour", "usd": [each.get(region) for region in regions]}
            for key, each in sorted(prices.items())
        },
    }
    packed = json.dumps(content, separators=(",", ":"), sort_keys=True).encode()
    OUTPUT.write_bytes(gzip.compress(packed, 9, mtime=0))
    sys.stdout.write(f"{OUTPUT}: {OUTPUT.stat().st_size} bytes, {len(prices)} rows\n")


def cache_prices(nodes: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """USD an hour by ``cache.redis.cache.m5.large`` and region."""
    prices: dict[str, dict[str, float]] = {}
    for node in nodes:
        for region, engines in node["pricing"].items():
            for name, engine in ENGINES.items():
                if usd := engines.get(name, {}).get("ondemand"):
                    key = f"cache.{engine}.{node['instance_type']}"
                    prices.setdefault(key, {})[region] = float(usd)
    return prices


def search_prices(nodes: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """USD an hour by ``search.m5.large.search`` and region."""
    return {
        f"search.{node['instance_type']}": {
            region: float(price["ondemand"])
            for region, price in node["pricing"].items()
            if price.get("ondemand")
        }
        for node in nodes
    }


if __name__ == "__main__":
    main()
