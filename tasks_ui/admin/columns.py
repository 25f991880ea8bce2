"""The columns of a run, in the list and on its page."""

from __future__ import annotations

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from tasks_ui import kinds
from tasks_ui.admin.base import NONE, TaskRunBase
from tasks_ui.models import State, TaskRun
from tasks_ui.runs import waterfall, wording
from tasks_ui.templatetags import ui

LIVE_COLUMNS = ("status", "bar", "progress", "took", "tries", "in_queue", "age", "on_worker")


class RunColumns(TaskRunBase):
    @admin.display(description="Task")
    def name(self, run: TaskRun) -> SafeString:
        about = f"{kinds.label(run.kind)} {str(run.pk)[:13]}"
        return format_html('{}<br><span class="id" title="{}">{}</span>', run.title, run.pk, about)

    @admin.display(description="State", ordering="state")
    def status(self, run: TaskRun) -> SafeString:
        return ui.badge(wording.view_state(run))

    @admin.display(description="Progress")
    def bar(self, run: TaskRun) -> SafeString:
        return self._bar(run, words="")

    @admin.display(description="Progress")
    def progress(self, run: TaskRun) -> SafeString:
        """The bar with the run's own words, for those who may read them."""
        return self._bar(run, words=_line(run))

    @admin.display(description="Took")
    def took(self, run: TaskRun) -> SafeString:
        """How long it ran, and under it how long it waited; of a part also when it started."""
        waited, ran = waterfall.times(run)
        words = [f"waited {wording.duration(waited)}"]
        if run.parent and run.started_at:
            offset = wording.duration(run.started_at - run.parent.queued_at)
            words.insert(0, f"started +{offset}")
        return format_html(
            '<span class="nowrap">{}</span><span class="why">{}</span>',
            NONE if ran is None else wording.duration(ran),
            ", ".join(words),
        )

    @admin.display(description="Attempt")
    def tries(self, run: TaskRun) -> str:
        return f"{run.attempt} of {run.max_attempts}" if run.attempt else NONE

    @admin.display(description="Queue", ordering="queue")
    def in_queue(self, run: TaskRun) -> SafeString:
        held = run.state in {State.PENDING, State.RETRY} and getattr(run, "is_held", False)
        return format_html(
            "{}{}", run.queue, mark_safe('<br><span class="why">paused</span>') if held else ""
        )

    @admin.display(description="Age", ordering="created_at")
    def age(self, run: TaskRun) -> SafeString:
        """Since it was queued."""
        when = f"{timezone.localtime(run.created_at):%Y-%m-%d %H:%M:%S %Z}"
        return format_html(
            '<span class="nowrap" title="{}">{}</span>', when, ui.since_words(run.created_at)
        )

    @admin.display(description="Worker", ordering="worker")
    def on_worker(self, run: TaskRun) -> SafeString:
        return format_html('<span class="nowrap">{}</span>', run.worker or NONE)

    def _bar(self, run: TaskRun, *, words: str) -> SafeString:
        """A live bar: ``data-task`` and ``data-attempt`` are what the page's script goes by."""
        return format_html(
            '<div data-task="{}" data-attempt="{}" data-state="{}">{}<span class="why">'
            "<b data-percent>{}&nbsp;%</b> <span data-message>{}</span></span></div>",
            run.pk,
            run.attempt,
            run.state,
            ui.bar(
                run.state, run.current, run.total, run.title, f"{run.percent} percent", task=run.pk
            ),
            run.percent,
            words,
        )


def _line(run: TaskRun) -> str:
    """The line under a bar, with who cancelled and when the next attempt is."""
    if run.state == State.RETRY and run.next_retry_at and run.next_retry_at > timezone.now():
        left = wording.clock(run.next_retry_at - timezone.now())
        return f"{wording.status_line(run)} · in {left}"
    if (
        run.state in {State.CANCELLING, State.REVOKED}
        and run.cancel_requested_by
        and run.cancel_requested_at
    ):
        return (
            f"Cancelled by {run.cancel_requested_by.get_username()},"
            f" {wording.when(run.cancel_requested_at)}"
        )
    if run.state == State.FAILURE and run.error_code:
        return f"{run.error_code}: {wording.status_line(run)}"[:160]
    return wording.status_line(run)[:160]
