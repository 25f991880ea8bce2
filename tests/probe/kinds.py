from tasks_ui.kinds import TaskKind, register
from tests.probe.again import run_again

PROBE = register(
    TaskKind(
        name="probe", label="Probe", task_name="tests.probe", queue="default", run_again=run_again
    )
)
FAMILY = register(
    TaskKind(name="probe_family", label="Family", task_name="tests.probe_family", queue="default")
)
NOOP = register(TaskKind(name="noop", label="No-op", task_name="tests.noop", queue="default"))
