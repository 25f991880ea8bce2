"""Names that only the installed apps know, as enums in the documents: kinds of task, queues, error
codes, events and their data.

They are looked up when a document is written, when every app is ready. Input is checked against
them; stored names that no longer exist are still shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from django.conf import settings
from pydantic import BaseModel
from pydantic_core import core_schema

from tasks_ui import kinds
from tasks_ui.runs.vocabulary import ERROR_CODES, EVENTS

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema


@dataclass(frozen=True)
class OneOf:
    """A string that is one of ``names()``. If ``is_asked``, any other is refused with a list of the
    names."""

    names: Callable[[], Iterable[str]]
    is_asked: bool = False

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema = handler(source)
        if not self.is_asked:
            return schema
        return core_schema.no_info_after_validator_function(self._checked, schema)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "enum": sorted(self.names())}

    def _checked(self, name: str) -> str:
        known = sorted(self.names())
        if name not in known:
            raise ValueError(f"There is no {name[:60]!r}. Choose one of: {', '.join(known)}.")
        return name


class AnyEventData:
    """An event's data: the model registered for its name in ``vocabulary.EVENTS``."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        shapes = [handler(each.__pydantic_core_schema__) for each in _most_specific_first()]
        names = "; ".join(f"`{name}`: {shape.__name__}" for name, shape in sorted(EVENTS.items()))
        return {"anyOf": shapes, "description": f"By the event's name. {names}."}


def _most_specific_first() -> list[type[BaseModel]]:
    """A client that tries one shape after another must not mistake a wider one for a narrower
    one."""

    def narrowness(shape: type[BaseModel]) -> tuple[int, str]:
        return -len(shape.model_fields), shape.__name__

    return sorted(set(EVENTS.values()), key=narrowness)


def name_event_data(schemas: dict[str, Any], *, of: str) -> None:
    """In a document's schemas, give each shape of the event ``of`` its own schema. Pydantic inlines
    them, without a name."""
    data = schemas[of]["properties"]["data"]
    schemas |= {shape["title"]: shape for shape in data["anyOf"]}
    data["anyOf"] = [{"$ref": f"#/components/schemas/{shape['title']}"} for shape in data["anyOf"]]


def _kinds() -> list[str]:
    return [kind.name for kind in kinds.every()]


def _queues() -> list[str]:
    return [queue.name for queue in settings.CELERY_TASK_QUEUES]


KindName = Annotated[str, OneOf(_kinds)]
QueueName = Annotated[str, OneOf(_queues)]
ErrorCode = Annotated[str, OneOf(lambda: ERROR_CODES)]
EventName = Annotated[str, OneOf(lambda: EVENTS)]
EventData = Annotated[dict[str, Any], AnyEventData]
AskedKind = Annotated[str, OneOf(_kinds, is_asked=True)]
AskedQueue = Annotated[str, OneOf(_queues, is_asked=True)]
