"""A client for Infra Mind in plain Python: its API, its events, and the command ``infra-mind``."""

from infra_mind_client.api import Client
from infra_mind_client.errors import ApiError, CannotAssessError, UnreachableError

__all__ = ["ApiError", "CannotAssessError", "Client", "UnreachableError"]
