"""The projects of a dashboard: their folders, configurations and secrets."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from python_runner.config.project import load_project
from python_runner.exceptions import PythonRunnerError
from python_runner.masking import Masker
from python_runner.records.read_only import NoRecords
from python_runner.web.addresses import key_of


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from python_runner.model import Project, Settings
    from python_runner.records.store import Store


class Projects:
    """The projects at one moment; nobody outside names a folder, only its key."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        listed: tuple[Path, ...],
        defaults: Mapping[str, Any],
    ) -> None:
        """Look at projects.

        Args:
            store: the records.
            settings: the secrets of the environment.
            listed: their folders; empty: all that have runs.
            defaults: optional keys that hold where a project is silent.
        """
        self._store = store
        self._settings = settings
        self._listed = listed
        self._defaults = defaults

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
        with suppress(PythonRunnerError):
            return load_project(folder, defaults=self._defaults)
        return None

    def masker(self, folder: Path) -> Masker:
        """Return what takes the secrets of environment and project out of texts."""
        project = self.configuration(folder)
        secrets = project.secrets if project else ()
        return Masker((*self._settings.secrets, *secrets))

    def shows(self, folder: Path) -> bool:
        """Say whether a run of a project may be shown: the dashboard is about it."""
        return not self._listed or key_of(folder) in self.by_key
