"""What makes a declared resource reliable: one entry per control, read by the reliability agent.

A control returns True (holds), False (does not), or None (the code doesn't show it: neither passed
nor failed). Severities are this table's own, by category; the agent publishes them with the score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import block, blocks, flag, text
from assessments.agents.inventory import (
    SERVING_KINDS,
    Cache,
    ComposeService,
    Database,
    LoadBalancer,
    Machines,
    Service,
    Workload,
)
from assessments.agents.types import Severity
from assessments.agents.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable

Item = Machines | Database | Cache | LoadBalancer | Service | Workload | ComposeService


@dataclass(frozen=True, slots=True)
class Control:
    """``holds`` decides; ``actual`` describes what the code declares."""

    rule: str
    applies_to: type[Any]
    severity: Severity
    title: str
    expected: str
    why: str
    remediation: str
    reference: str
    holds: Callable[[Any], bool | None]
    actual: Callable[[Any], str]

    @property
    def same_as(self) -> tuple[str, ...]:
        """Checkov's rules that check the same thing, so that a suppression written for one of them
        also counts here."""
        return SAME_AS.get(self.rule, ())


def controls_for(item: Item) -> list[Control]:
    """The controls that apply to ``item``, in the table's order."""
    return [each for each in CONTROLS if isinstance(item, each.applies_to)]


def _database_zones(item: Database) -> bool | None:
    return None if item.is_replica else item.multi_zone


def _database_backups(item: Database) -> bool | None:
    return None if item.is_replica or item.backup_days is None else item.backup_days > 0


def _several(item: Machines) -> bool | None:
    return item.count >= 2 if item.count and item.replaced else None  # With 0 it serves nothing.


def _several_zones(item: Machines) -> bool | None:
    if item.zones is None or item.count == 0 or not item.replaced:
        return None
    return item.zones >= 2


def _cache_failover(item: Cache) -> bool | None:
    if item.engine == "memcached" or item.failover is None or item.nodes is None:
        return None
    return item.failover and item.nodes >= 2


def _balancer_zones(item: LoadBalancer) -> bool | None:
    return None if item.zones is None else item.zones >= 2


def _table_recovery(item: Service) -> bool | None:
    if item.kind != "dynamodb":
        return None
    declared = block(
        item.attributes.get("point_in_time_recovery")
        or item.attributes.get("point_in_time_recovery_specification")
    )
    return flag(declared.get("enabled", declared.get("point_in_time_recovery_enabled", False)))


def _replicated(item: Workload) -> bool | None:
    return item.replicas >= 2 if item.kind in SERVING_KINDS and item.replicas else None


def _probed(name: str) -> Callable[[Workload], bool | None]:
    def holds(item: Workload) -> bool | None:
        return (
            all(isinstance(each.get(name), dict) for each in item.containers)
            if item.containers
            else None
        )

    return holds


def _unprobed(name: str) -> Callable[[Workload], str]:
    def actual(item: Workload) -> str:
        missing = [
            str(each.get("name", "?"))
            for each in item.containers
            if not isinstance(each.get(name), dict)
        ]
        return f"no {name} on: {', '.join(missing[:10])}"

    return actual


def _budgeted(item: Workload) -> bool | None:
    return None if _replicated(item) is not True else item.disruption_budget


def _spread(item: Workload) -> bool | None:
    if _replicated(item) is not True:
        return None
    apart = block(block(item.pod.get("affinity")).get("podAntiAffinity"))
    return bool(blocks(item.pod.get("topologySpreadConstraints"))) or bool(apart)


def _rolling(item: Workload) -> bool | None:
    if item.kind != "Deployment":
        return None
    return bool(block(item.attributes.get("strategy")).get("type", "RollingUpdate") != "Recreate")


def _restarted(item: ComposeService) -> bool | None:
    is_whole = {"image", "build"} & item.attributes.keys() and "extends" not in item.attributes
    if item.ends or not is_whole:
        return None  # The rest of it is declared elsewhere.
    policy = text(item.attributes.get("restart"))
    on_deploy = block(block(item.attributes.get("deploy")).get("restart_policy"))
    return policy not in (None, "no") or bool(on_deploy)


def _health_checked(item: ComposeService) -> bool | None:
    """An image may contain a check of its own, also one that is built: its Dockerfile is checked
    for that by itself."""
    if "healthcheck" not in item.attributes:
        return None
    check = block(item.attributes["healthcheck"])
    return bool(check) and flag(check.get("disable", False)) is not True


_RDS = "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/"
_K8S = "https://kubernetes.io/docs/"

SAME_AS: dict[str, tuple[str, ...]] = {
    "im-rel-database-zones": ("CKV_AWS_157",),
    "im-rel-database-backups": ("CKV_AWS_133", "CKV_GCP_14"),
    "im-rel-database-deletion": ("CKV_AWS_293", "CKV_AWS_139"),
    "im-rel-cache-failover": ("CKV2_AWS_50",),
    "im-rel-balancer-deletion": ("CKV_AWS_150",),
    "im-rel-table-recovery": ("CKV_AWS_28",),
    "im-rel-readiness-probe": ("CKV_K8S_9",),
    "im-rel-liveness-probe": ("CKV_K8S_8",),
}

CONTROLS: tuple[Control, ...] = (
    Control(
        "im-rel-database-zones",
        Database,
        Severity.HIGH,
        "Database runs in one zone only",
        "A standby in a second zone",
        "When the zone or the machine fails, the database is down until it is restored.",
        'Set multi_az = true (RDS), availability_type = "REGIONAL" (Cloud SQL), or add a second'
        " cluster instance.",
        _RDS + "Concepts.MultiAZSingleStandby.html",
        _database_zones,
        lambda item: "no standby in another zone is declared",
    ),
    Control(
        "im-rel-database-backups",
        Database,
        Severity.HIGH,
        "Database has no automatic backups",
        "Backups kept for at least one day",
        "Lost or damaged data can't be restored.",
        "Set backup_retention_period to 7 or more; 0 turns off both backups and"
        " point-in-time recovery.",
        _RDS + "USER_WorkingWithAutomatedBackups.html",
        _database_backups,
        lambda item: f"backups are kept for {item.backup_days:g} days",
    ),
    Control(
        "im-rel-database-deletion",
        Database,
        Severity.MEDIUM,
        "Database can be deleted with one call",
        "Deletion protection on",
        "One mistaken apply or click deletes the data and its automatic backups.",
        "Set deletion_protection = true.",
        _RDS + "USER_DeleteInstance.html",
        lambda item: item.deletion_protection,
        lambda item: "deletion protection is off",
    ),
    Control(
        "im-rel-group-size",
        Machines,
        Severity.MEDIUM,
        "Only one instance serves this tier",
        "At least 2 instances always running",
        "One failure, or one deployment, takes the whole tier down.",
        "Raise the minimum (min_size, desired_size or desired_count) to 2 or more.",
        "https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-benefits.html",
        _several,
        lambda item: f"{item.count} always running",
    ),
    Control(
        "im-rel-group-zones",
        Machines,
        Severity.MEDIUM,
        "All instances of this group share one zone",
        "Subnets in at least 2 zones",
        "A failure of the zone stops every instance at once.",
        "List subnets of two or three zones.",
        "https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-benefits.html",
        _several_zones,
        lambda item: f"{item.zones} zone or subnet listed",
    ),
    Control(
        "im-rel-cache-failover",
        Cache,
        Severity.MEDIUM,
        "Cache has no replica to fail over to",
        "Automatic failover and at least 2 nodes",
        "When the node fails, its data is lost and the cache is down.",
        "Use a replication group with automatic_failover_enabled = true and two or more nodes.",
        "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/AutoFailover.html",
        _cache_failover,
        lambda item: (
            f"{counted(item.nodes or 0, 'node')}, automatic failover"
            f" {'on' if item.failover else 'off'}"
        ),
    ),
    Control(
        "im-rel-balancer-zones",
        LoadBalancer,
        Severity.MEDIUM,
        "Load balancer is attached to one zone",
        "Subnets in at least 2 zones",
        "The balancer, and everything behind it, goes down with that zone.",
        "Attach subnets of two or more zones.",
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/how-elastic-load-balancing-works.html",
        _balancer_zones,
        lambda item: f"{item.zones} subnet listed",
    ),
    Control(
        "im-rel-balancer-deletion",
        LoadBalancer,
        Severity.LOW,
        "Load balancer can be deleted with one call",
        "Deletion protection on",
        "If it is deleted by mistake, its address is gone for good.",
        "Set enable_deletion_protection = true.",
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html",
        lambda item: item.deletion_protection,
        lambda item: "deletion protection is off",
    ),
    Control(
        "im-rel-table-recovery",
        Service,
        Severity.MEDIUM,
        "Table can't be restored to a point in time",
        "Point-in-time recovery on",
        "A bad write or delete can't be undone.",
        "Switch it on: point_in_time_recovery { enabled = true } in Terraform,"
        " PointInTimeRecoverySpecification in CloudFormation.",
        "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Point-in-time-recovery.html",
        _table_recovery,
        lambda item: "point-in-time recovery is off",
    ),
    Control(
        "im-rel-replicas",
        Workload,
        Severity.MEDIUM,
        "Workload runs as a single replica",
        "At least 2 replicas",
        "A node drain, a crash or a rollout leaves nothing to serve requests.",
        "Set spec.replicas (or the autoscaler's minReplicas) to 2 or more.",
        _K8S + "concepts/workloads/controllers/deployment/",
        _replicated,
        lambda item: f"at least {counted(item.replicas or 0, 'replica')}",
    ),
    Control(
        "im-rel-readiness-probe",
        Workload,
        Severity.MEDIUM,
        "Containers have no readiness probe",
        "A readinessProbe on each container",
        "During each rollout, traffic goes to containers that aren't ready.",
        "Add a readinessProbe that checks what a request needs.",
        _K8S + "tasks/configure-pod-container/configure-liveness-readiness-startup-probes/",
        _probed("readinessProbe"),
        _unprobed("readinessProbe"),
    ),
    Control(
        "im-rel-liveness-probe",
        Workload,
        Severity.LOW,
        "Containers have no liveness probe",
        "A livenessProbe on each container",
        "A container that hangs is never restarted.",
        "Add a livenessProbe that is cheap and doesn't depend on other services.",
        _K8S + "tasks/configure-pod-container/configure-liveness-readiness-startup-probes/",
        _probed("livenessProbe"),
        _unprobed("livenessProbe"),
    ),
    Control(
        "im-rel-disruption-budget",
        Workload,
        Severity.LOW,
        "Workload has no disruption budget",
        "A PodDisruptionBudget that selects its pods",
        "A node drain may evict all replicas at the same time.",
        "Add a PodDisruptionBudget with minAvailable or maxUnavailable for these labels.",
        _K8S + "tasks/run-application/configure-pdb/",
        _budgeted,
        lambda item: "no budget selects its pods",
    ),
    Control(
        "im-rel-spread",
        Workload,
        Severity.LOW,
        "Replicas may all land on one node or zone",
        "topologySpreadConstraints or podAntiAffinity",
        "One failing node or zone can take every replica with it.",
        "Add topologySpreadConstraints over topology.kubernetes.io/zone.",
        _K8S + "concepts/scheduling-eviction/topology-spread-constraints/",
        _spread,
        lambda item: "neither spread constraints nor anti-affinity",
    ),
    Control(
        "im-rel-recreate",
        Workload,
        Severity.LOW,
        "Every rollout stops the workload first",
        "The RollingUpdate strategy",
        "Recreate ends all pods before new ones start: each deployment is an outage.",
        "Use strategy type RollingUpdate where the workload allows two versions side by side.",
        _K8S + "concepts/workloads/controllers/deployment/",
        _rolling,
        lambda item: "strategy type Recreate",
    ),
    Control(
        "im-rel-restart",
        ComposeService,
        Severity.LOW,
        "Service isn't restarted when it stops",
        "A restart policy",
        "After a crash or a reboot the service stays down until someone starts it.",
        "Add restart: unless-stopped.",
        "https://docs.docker.com/reference/compose-file/services/#restart",
        _restarted,
        lambda item: "no restart policy",
    ),
    Control(
        "im-rel-healthcheck",
        ComposeService,
        Severity.LOW,
        "Service's health check is turned off",
        "A healthcheck that is not disabled",
        "Nothing notices when the process is running but no longer responds.",
        "Add a healthcheck that queries the service itself.",
        "https://docs.docker.com/reference/compose-file/services/#healthcheck",
        _health_checked,
        lambda item: "its health check is disabled",
    ),
)
