"""The projects of a dashboard: their folders, configurations and secrets."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from python_runner.config.project import load_project
from python_runner.exceptions import PythonRunnerError
from python_runner.masking import Masker
from python_runner.records.read_only import NoRecords
from python_runner.web.addresses import key_of


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from python_runner.model import Project
    from python_runner.records.store import Store
    from python_runner.web.site import Site


#: Configurations that were read a moment ago, until when they count: a page may show
#: what many projects have written, and needs their secrets.
_CONFIGURATIONS: dict[tuple[int, Path], tuple[float, Project | None]] = {}
_GUARD = threading.Lock()
_FRESH, _MOST = 2.0, 1000


class Projects:
    """The projects at one moment; nobody outside names a folder, only its key."""

    def __init__(self, site: Site, store: Store) -> None:
        self._site = site
        self._store = store

    @cached_property
    def folders(self) -> tuple[Path, ...]:
        """The folders of all projects.

        Raises:
            StoreError: the records cannot be read.
        """
        if self._site.projects:
            return self._site.projects
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
        place = (id(self._site), folder)
        with _GUARD:
            kept = _CONFIGURATIONS.get(place)
        if kept and kept[0] > time.monotonic():
            return kept[1]
        project = None
        with suppress(PythonRunnerError):
            project = load_project(folder, defaults=self._site.defaults)
        with _GUARD:
            if len(_CONFIGURATIONS) >= _MOST:
                _CONFIGURATIONS.clear()
            _CONFIGURATIONS[place] = (time.monotonic() + _FRESH, project)
        return project

    def masker(self, folder: Path) -> Masker:
        """Return what takes the secrets of environment and project out of texts."""
        project = self.configuration(folder)
        secrets = project.secrets if project else ()
        return Masker((*self._site.settings.secrets, *secrets))

    def shows(self, folder: Path) -> bool:
        """Say whether a run of a project may be shown: the dashboard is about it."""
        return not self._site.projects or key_of(folder) in self.by_key
