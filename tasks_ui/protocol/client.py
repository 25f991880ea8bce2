"""What clients send over the socket."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

MESSAGE_MAX_BYTES = 16 * 1024

Scope = Literal["mine", "all"]
Ref = Annotated[str, Field(max_length=64)] | int
Seq = Annotated[int, Field(ge=0, le=2**31 - 1)]


class ClientFrame(BaseModel):
    """``ref`` is up to you: an error or pong in reply to this frame repeats it."""

    model_config = ConfigDict(extra="forbid")

    ref: Ref | None = None


class _Target(ClientFrame):
    task_id: UUID | None = None
    scope: Scope | None = None

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.task_id is None) == (self.scope is None):
            raise ValueError("Give either task_id or scope.")
        return self


class Subscribe(_Target):
    """Follow one task, or the tasks of a scope: your own ("mine"), or everyone's ("all", for
    operators).

    For a task the server replies with ``snapshot``, the events after ``after_seq`` (0: all of
    them), ``caught_up``, then live events. For a scope: a ``snapshot`` of each unfinished task (of
    the newest 200), ``caught_up``, then a ``snapshot`` of each new task and the events that follow.
    """

    type: Literal["subscribe"]
    after_seq: Seq = 0


class Unsubscribe(_Target):
    type: Literal["unsubscribe"]


class Ping(ClientFrame):
    type: Literal["ping"]


ClientMessage = Annotated[Subscribe | Unsubscribe | Ping, Field(discriminator="type")]
client_message: TypeAdapter[Subscribe | Unsubscribe | Ping] = TypeAdapter(ClientMessage)

CLIENT_FRAMES: tuple[type[ClientFrame], ...] = (Subscribe, Unsubscribe, Ping)
