"""Hands projects to the scheduler of the system: cron, systemd, Task Scheduler.

Pure: what is wanted and what is there (``jobs``, ``entries``, ``plan``), and how an
expression becomes words, triggers of Windows and lines of systemd (``fields``, ``words``,
``triggers``, ``on_calendar``). ``cron``, ``systemd`` and ``task_scheduler`` ask the
programs ``crontab``, ``systemctl`` and ``schtasks``; ``installed`` asks those that are there.
"""
