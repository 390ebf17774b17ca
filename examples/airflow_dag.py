"""One project of Python Runner as a DAG of Airflow: each script is a task."""

from datetime import UTC, datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG


PROJECT = "/srv/projects/sales"


def step(script: str) -> BashOperator:
    """Return the task that runs one script."""
    return BashOperator(
        task_id=script.removesuffix(".py"),
        # 4 and 5: the script succeeded, and only what tells of it went wrong.
        bash_command=f"python-runner run {PROJECT} --only {script}"
        " || { code=$?; [ $code = 4 ] || [ $code = 5 ] || exit $code; }",
        append_env=True,
        # Python Runner repeats it (key `retries`), and mails why it failed.
        retries=0,
        email_on_failure=False,
    )


with DAG(
    "sales",
    schedule="0 6 * * 1-5",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
):
    step("import.py") >> step("report.py")
