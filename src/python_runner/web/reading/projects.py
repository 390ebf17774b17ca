"""The projects of a dashboard: their folders, configurations and secrets."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from python_runner.config.project import load_project
from python_runner.exceptions import PythonRunnerError
from python_runner.masking import Masker
from python_runner.records.read_only import NoRecords
from python_runner.web.addresses import key_of


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from python_runner.model import Project, Settings
    from python_runner.records.store import Store


#: Seconds for which a configuration counts, and how many are kept.
_FRESH, _MOST = 2.0, 1000
#: Seconds for which a page waits for a folder, and folders that may hang at once: for each
#: that hangs already, it waits less for the next one.
_PATIENCE, _HANGING = 1.0, 8


class Configurations:
    """The configurations of projects, each read once in a while.

    A page may show what many projects have written, and needs their secrets. One whose
    folder lies on a share that does not answer is as good as one that cannot be read.
    """

    def __init__(
        self,
        defaults: Mapping[str, Any],
        read: Callable[..., Project] = load_project,
    ) -> None:
        """Keep configurations, read with the optional keys of ``defaults``."""
        self._defaults = defaults
        self._load = read
        self._kept: dict[Path, tuple[float, Project | None]] = {}
        self._reading: dict[Path, threading.Thread] = {}
        self._guard = threading.Lock()

    def of(self, folder: Path) -> Project | None:
        """Return a project as it is configured now; None: it is gone, or wrong by now."""
        with self._guard:
            kept = self._kept.get(folder)
            if kept and kept[0] > time.monotonic():
                return kept[1]
            hanging = len(self._reading)
            if folder in self._reading or hanging >= _HANGING:
                return kept[1] if kept else None
            # A daemon: nobody waits at the end for a share that does not answer.
            thread = threading.Thread(
                target=self._read, args=[folder], name="configuration", daemon=True
            )
            self._reading[folder] = thread
        try:
            thread.start()
        except (RuntimeError, MemoryError):
            # No thread is to be had: it is read by whoever asks.
            self._read(folder)
        else:
            thread.join(_PATIENCE / (1 + hanging))
        with self._guard:
            kept = self._kept.get(folder)
        return kept[1] if kept else None

    def _read(self, folder: Path) -> None:
        project = None
        try:
            with suppress(PythonRunnerError):
                project = self._load(folder, defaults=self._defaults)
        finally:
            with self._guard:
                if len(self._kept) >= _MOST:
                    self._kept.clear()
                self._kept[folder] = (time.monotonic() + _FRESH, project)
                self._reading.pop(folder, None)


class Projects:
    """The projects at one moment; nobody outside names a folder, only its key."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        listed: tuple[Path, ...],
        configurations: Configurations,
    ) -> None:
        """Look at projects.

        Args:
            store: the records.
            settings: the secrets of the environment.
            listed: their folders; empty: all that have runs.
            configurations: where their configurations are read.
        """
        self._store = store
        self._settings = settings
        self._listed = listed
        self._configurations = configurations
        #: What is masked by, and what is judged by, is the same throughout a page.
        self._read: dict[Path, Project | None] = {}

    @cached_property
    def folders(self) -> tuple[Path, ...]:
        """The folders of all projects.

        Raises:
            StoreError: the records cannot be read.
        """
        if self._listed:
            return self._listed
        try:
            return tuple(self._store.projects())
        except NoRecords:
            return ()

    @cached_property
    def by_key(self) -> Mapping[str, Path]:
        """The folders, by what stands for them in addresses."""
        return {key_of(folder): folder for folder in self.folders}

    def configuration(self, folder: Path) -> Project | None:
        """Return a project as it is configured now; None: it is gone, or wrong by now."""
        if folder not in self._read:
            self._read[folder] = self._configurations.of(folder)
        return self._read[folder]

    def masker(self, folder: Path) -> Masker:
        """Return what takes the secrets of environment and project out of texts."""
        project = self.configuration(folder)
        secrets = project.secrets if project else ()
        return Masker((*self._settings.secrets, *secrets))

    def shows(self, folder: Path) -> bool:
        """Say whether a run of a project may be shown: the dashboard is about it."""
        return not self._listed or key_of(folder) in self.by_key
