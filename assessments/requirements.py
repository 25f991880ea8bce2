"""What people state about the workload: one typed schema for the form, the API, the agents and the
docs.

Every field is optional. An agent that needs a missing field answers "not assessed" and names it.
Most fields describe one deployment (``DEPLOYMENT_FIELDS``): if the files contain several scopes,
``scope`` says which.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MAX_USAGE, MAX_AMOUNT = 500, 1e15
PLAIN = r"^[^\x00-\x1f]*$"


class WorkloadType(StrEnum):
    WEB = "web"
    API = "api"
    BATCH = "batch"
    STREAMING = "streaming"
    DATABASE = "database"
    MACHINE_LEARNING = "machine_learning"


class Provider(StrEnum):
    AWS = "aws"
    AZURE = "azure"
    GCP = "gcp"
    ON_PREMISES = "on_premises"


class Framework(StrEnum):
    CIS = "cis"
    PCI_DSS = "pci_dss"
    HIPAA = "hipaa"
    SOC2 = "soc2"
    ISO27001 = "iso27001"
    GDPR = "gdpr"
    NIST_800_53 = "nist_800_53"


class Criticality(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    MISSION_CRITICAL = "mission_critical"


class DisasterRecovery(StrEnum):
    """The four strategies of AWS's "Disaster Recovery of Workloads on AWS" whitepaper, and none."""

    NONE = "none"
    BACKUP_RESTORE = "backup_restore"
    PILOT_LIGHT = "pilot_light"
    WARM_STANDBY = "warm_standby"
    MULTI_SITE = "multi_site"


class Measure(StrEnum):
    """What is counted of a resource that is billed by use: in a month, except ``duration_ms`` (a
    request's mean) and ``storage_gb``."""

    REQUESTS = "requests"
    DURATION_MS = "duration_ms"
    STORAGE_GB = "storage_gb"
    PUT_REQUESTS = "put_requests"
    GET_REQUESTS = "get_requests"
    READ_UNITS = "read_units"
    WRITE_UNITS = "write_units"
    INGESTED_GB = "ingested_gb"
    DELIVERED_GB = "delivered_gb"
    PROCESSED_GB = "processed_gb"
    MESSAGES = "messages"
    CONNECTION_MINUTES = "connection_minutes"
    PAYLOAD_UNITS = "payload_units"


class Usage(BaseModel):
    """How much of one resource is used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scope: str = Field(
        "",
        max_length=400,
        pattern=PLAIN,
        description="Key or label of the resource's scope; empty: any scope that has it",
    )
    resource: str = Field(min_length=1, max_length=400, pattern=PLAIN, description="Its address")
    measure: Measure
    amount: float = Field(ge=0, le=MAX_AMOUNT)


class Requirements(BaseModel):
    """The workload's requirements. Units are in each field's name or description."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scope: str | None = Field(
        None,
        max_length=400,
        pattern=PLAIN,
        description=(
            "Key of the scope that traffic, replicas, budget and targets describe, where the files"
            " hold more than one deployment"
        ),
    )
    workload_types: Annotated[list[WorkloadType], Field(max_length=6)] = []
    rps_now: float | None = Field(
        None, gt=0, le=10_000_000, description="Requests per second now, on average"
    )
    rps_peak: float | None = Field(
        None, gt=0, le=10_000_000, description="Requests per second at peak"
    )
    growth_12m_percent: float | None = Field(
        None, ge=-100, le=10_000, description="Growth of requests over 12 months, in percent"
    )
    service_time_ms: float | None = Field(
        None,
        gt=0,
        le=3_600_000,
        description="Mean time one request keeps one server busy, in milliseconds",
    )
    concurrency_per_replica: int | None = Field(
        None, ge=1, le=100_000, description="Requests that one replica serves at the same time"
    )
    latency_p95_target_ms: float | None = Field(
        None,
        gt=0,
        le=3_600_000,
        description="Target for the 95th percentile of response time, in milliseconds",
    )
    concurrent_users: int | None = Field(None, ge=0, le=1_000_000_000)
    uptime_target_percent: float | None = Field(
        None, ge=0, lt=100, description="Availability target, e.g. 99.9"
    )
    rto_minutes: float | None = Field(
        None, ge=0, le=525_600, description="Recovery time objective, in minutes"
    )
    rpo_minutes: float | None = Field(
        None, ge=0, le=525_600, description="Recovery point objective, in minutes"
    )
    data_gb: float | None = Field(None, ge=0, le=100_000_000, description="Stored data, in GB")
    egress_gb_month: float | None = Field(
        None, ge=0, le=100_000_000, description="Traffic to the internet, in GB a month"
    )
    provider: Provider | None = None
    regions: Annotated[
        list[Annotated[str, Field(max_length=40, pattern=r"^[a-z0-9-]+$")]], Field(max_length=20)
    ] = []
    monthly_budget_usd: float | None = Field(None, gt=0, le=1_000_000_000)
    monthly_carbon_budget_kg: float | None = Field(
        None, gt=0, le=1_000_000_000, description="Carbon budget, in kgCO2e a month"
    )
    frameworks: Annotated[list[Framework], Field(max_length=7)] = []
    criticality: Criticality | None = None
    disaster_recovery: DisasterRecovery | None = None
    replicas: int | None = Field(
        None, ge=1, le=1_000_000, description="Replicas running now, if the code doesn't say"
    )
    average_utilisation_percent: float | None = Field(
        None, ge=0, le=100, description="Average CPU utilization, in percent, where it is known"
    )
    usage: Annotated[
        list[Usage],
        Field(
            max_length=MAX_USAGE,
            description="Use of resources that are billed by it, such as functions and buckets",
        ),
    ] = []


UPLOAD_FIELDS = frozenset({"scope", "workload_types", "provider", "regions", "frameworks", "usage"})
"""Fields that apply to everything in an upload; ``usage`` names its scopes."""
DEPLOYMENT_FIELDS = frozenset(Requirements.model_fields) - UPLOAD_FIELDS
"""Fields that describe one deployment: traffic, replicas, budget, targets."""
