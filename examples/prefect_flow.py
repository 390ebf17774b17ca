"""One project of Python Runner as a flow of Prefect: each script is a task."""

import subprocess

from prefect import flow, task


PROJECT = "/srv/projects/sales"


# Python Runner repeats a script (key `retries`), and mails why it failed.
@task(retries=0, task_run_name="{script}")
def step(script: str) -> None:
    """Run one script."""
    command = ["python-runner", "run", PROJECT, "--only", script]
    with subprocess.Popen(command) as runner:
        try:
            code = runner.wait()
        except BaseException:
            # Cancelled: it stops the script with all that it started.
            runner.terminate()
            raise
    # 4 and 5: the script succeeded, and only what tells of it went wrong.
    if code not in {0, 4, 5}:
        raise subprocess.CalledProcessError(code, command)


@flow
def sales() -> None:
    """Run the scripts in order; the first failure ends it."""
    step("import.py")
    step("report.py")


if __name__ == "__main__":
    sales()
