"""Runs the series of two projects, one after the other.

Copy this file into the folder that holds your projects and name them below. Each has an
exec_config.json (`python-runner init PROJECT` writes one); a .env file beside this file
says how mails leave, if you start it here.
"""

import os

from python_runner import Runner
from python_runner.helpers import load_config


FOLDER = os.path.dirname(os.path.abspath(__file__))

projects = [
    os.path.join(FOLDER, "project_1"),
    os.path.join(FOLDER, "project_2"),
]

for project in projects:
    (
        scripts,
        python_command,
        recipients,
        email_strategy,
        include_traceback,
        logs_backup_count,
    ) = load_config(project)

    scripts_list = [os.path.join(project, script) for script in scripts]

    runner = Runner(project, recipients, logs_backup_count=logs_backup_count)

    results = runner.run(
        python_scripts=scripts_list,
        python_command=python_command,
        email_strategy=email_strategy,
        include_traceback=include_traceback,
    )

    for result in results:
        print(f"{project}: {result['script']}: {result['status']}")
