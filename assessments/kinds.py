"""The kinds of task that assessments start, by their Celery names.

Plain names, so that every part of the application can import them; ``assessments.registration``
adds each kind's behavior for the dashboard.
"""

from __future__ import annotations

from tasks_ui.kinds import TaskKind

PROCESS = TaskKind(
    name="process_assessment",
    label="Assessment",
    task_name="tasks.assessment_tasks.process_assessment",
    queue="assessments",
)
INTAKE = TaskKind(
    name="intake",
    label="Intake",
    task_name="tasks.assessment_tasks.read_files",
    queue="assessments",
)
SCAN = TaskKind(
    name="scan",
    label="Scan",
    task_name="tasks.assessment_tasks.scan_shard",
    queue="assessments",
)
AGENT = TaskKind(
    name="agent",
    label="Agent",
    task_name="tasks.assessment_tasks.run_agent",
    queue="assessments",
)
SYNTHESIS = TaskKind(
    name="synthesis",
    label="Synthesis",
    task_name="tasks.assessment_tasks.synthesise",
    queue="assessments",
)
RECOMMENDATIONS = TaskKind(
    name="generate_recommendations",
    label="Recommendations",
    task_name="tasks.recommendation_tasks.generate_recommendations",
    queue="default",
)
REPORT = TaskKind(
    name="generate_report",
    label="Report",
    task_name="tasks.report_tasks.generate_report",
    queue="reports",
)
