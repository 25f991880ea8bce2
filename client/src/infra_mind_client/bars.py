"""A run's progress: live bars in a terminal, otherwise a line for each step."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from infra_mind_client.live import FINAL, Frame
from infra_mind_client.wording import plain

STEPS = {"stage.started", "stage.finished", "child.failed", "child.retrying"}
KEPT_STAGE = "agents"  # whose bars stay when they are done
ROWS_MAX = 40


class Bars:
    """Feed it the frames of ``Client.follow``."""

    def __init__(self, console: Console, *, title: str) -> None:
        self._console = console
        self._title = title
        self._is_live = _is_live(console)
        self._rows: dict[str, TaskID] = {}
        self._stages: dict[str, str] = {}
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[words]}", markup=False, style="dim"),
            console=console,
            disable=not self._is_live,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def show(self, frame: Frame) -> None:
        match frame["type"]:
            case "snapshot":
                self._show_task(frame["task"], name=self._title)
                for child in frame["children"]:
                    self._show_child(child)
            case "progress":
                self._move(frame["task_id"], frame["current"], frame["total"], frame["message"])
            case "event":
                self._show_event(frame)

    def _show_event(self, event: Frame) -> None:
        data, name = event["data"], event["event"]
        if name == "stage.started":
            for child in data["children"]:
                self._show_child(child)
        elif name.startswith("child."):
            self._show_child(data)
        elif name.startswith("task."):
            self._move(event["task_id"], data["current"], data["total"], data["message"])
        if "parent_current" in data:
            self._move(event["task_id"], data["parent_current"], 100, None)
        if not self._is_live and (name in STEPS or name.startswith("task.")):
            self._console.print(Text(_line(event)))

    def _show_child(self, child: dict[str, Any]) -> None:
        self._stages[child["task_id"]] = child["stage"]
        self._show_task(child, name=f"  {child['title']}")
        is_done = child["state"] in FINAL and child["stage"] != KEPT_STAGE
        if is_done and (row := self._rows.get(child["task_id"])) is not None:
            self._progress.update(row, visible=False)

    def _show_task(self, task: dict[str, Any], *, name: str) -> None:
        if task["task_id"] not in self._rows:
            if len(self._rows) >= ROWS_MAX:
                return
            self._rows[task["task_id"]] = self._progress.add_task(
                plain(name), total=task["total"], words=""
            )
        words = task["error"] if task["state"] == "FAILURE" else task["message"]
        self._move(task["task_id"], task["current"], task["total"], words)

    def _move(self, task_id: str, current: int, total: int, words: str | None) -> None:
        row = self._rows.get(task_id)
        if row is None:
            return
        more: dict[str, Any] = {} if words is None else {"words": plain(words)[:60]}
        self._progress.update(row, completed=current, total=max(1, total), **more)


def _is_live(console: Console) -> bool:
    """Whether bars can move: a log would keep every frame of them, whatever colors CI asks for."""
    return console.is_terminal and console.file.isatty() and not os.environ.get("CI")


def _line(event: Frame) -> str:
    data, name = event["data"], event["event"]
    about = data.get("title") or str(data.get("stage") or "").capitalize()
    why = data.get("error") or (data.get("message") if name.startswith("task.") else "")
    words = {"stage.started": "started", "stage.finished": "done", "child.retrying": "tried again"}
    said = words.get(name) or name.rpartition(".")[2]
    return plain(f"{about or 'Run'}: {said}{': ' + why if why else ''}")[:500]
