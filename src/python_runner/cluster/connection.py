"""The connection to a Dask scheduler, and what is asked of its workers."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from python_runner.cluster.worker import hear_no_interrupt
from python_runner.exceptions import PythonRunnerError
from python_runner.installation import extra_command
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from python_runner.model.cluster import ClusterPlace

#: Seconds in which the scheduler and a first worker must be there.
_CONNECTING = 15.0


class Connection:
    """A client of a scheduler; of worker processes on this computer, these as well.

    Attributes:
        client: Dask's own.
    """

    def __init__(self, place: ClusterPlace) -> None:
        """Connect.

        Raises:
            PythonRunnerError: nobody answers, or the extra ``dask`` is not installed.
        """
        if find_spec("distributed") is None:
            message = _(
                "a cluster needs the extra dask, which is not installed: {command}"
            )
            raise PythonRunnerError(message.format(command=extra_command("dask")))
        import distributed  # noqa: PLC0415 - an extra, and slow to import

        library: Any = distributed

        # What it logs when a worker goes is said by the results, in sentences.
        for name in ("distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        self._processes: Any = None
        self.client: Any = None
        workers = place.local_workers
        try:
            if workers is not None:
                self._processes = library.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    host="127.0.0.1",
                    # None would be a page for everybody in the network.
                    dashboard_address="127.0.0.1:0",
                    # Without a key of ours no other account of this computer gets in.
                    security=library.Security.temporary(),
                    silence_logs=logging.CRITICAL + 1,
                )
            self.client = library.Client(
                self._processes or place.address,
                timeout=_CONNECTING,
                set_as_default=False,
            )
            self.client.wait_for_workers(1, timeout=_CONNECTING)
            if self._processes is not None:
                self.client.run(hear_no_interrupt, on_error="ignore")
        except Exception as error:
            workers_there = self.client is not None
            self.close()
            if workers_there:
                message = _("the cluster {address} has no worker: start one first")
            else:
                message = _("the cluster {address} cannot be reached: {error}")
            told = str(error).strip() or type(error).__name__
            raise PythonRunnerError(
                message.format(address=place.address, error=told.splitlines()[0])
            ) from error

    @property
    def is_open(self) -> bool:
        """Whether the scheduler is there."""
        return bool(self.client is not None and self.client.status == "running")

    def submit(
        self,
        function: Callable[..., Any],
        argument: Any,
        resources: Mapping[str, float],
    ) -> Future[Any]:
        """Let a worker that offers ``resources`` call a function; never twice in silence."""
        options = {"resources": dict(resources)} if resources else {}
        executor = self.client.get_executor(pure=False, retries=0, **options)
        future: Future[Any] = executor.submit(function, argument)
        return future

    def offers(self) -> list[Mapping[str, float]]:
        """Return the resources that each worker offers."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        return [worker.get("resources") or {} for worker in workers]

    def ask_all(
        self, function: Callable[..., Any], *arguments: Any, seconds: float
    ) -> dict[str, Any]:
        """Let every worker call a function; return the results by address.

        One that does not answer in time has none; what one raises is its result.

        Raises:
            Exception: the scheduler does not answer.
        """

        async def ask(address: str) -> tuple[str, Any] | None:
            with suppress(asyncio.TimeoutError):
                answers = await asyncio.wait_for(
                    self.client.run(
                        function, *arguments, workers=[address], on_error="return"
                    ),
                    seconds,
                )
                return (address, answers[address]) if address in answers else None
            return address, TimeoutError()

        async def ask_them() -> dict[str, Any]:
            workers = await asyncio.wait_for(self.client.nthreads(), seconds)
            answers = await asyncio.gather(*map(ask, workers), return_exceptions=True)
            told = {a[0]: a[1] for a in answers if isinstance(a, tuple)}
            return {address: told.get(address, TimeoutError()) for address in workers}

        answers: dict[str, Any] = self.client.sync(ask_them)
        return answers

    def claim(self, token: str) -> bool:
        """Say whether no worker has begun a task, and let none begin it."""
        asked = self.client.sync(
            self.client.scheduler.multi_lock_acquire,
            locks=[token],
            id=token,
            timeout=0.01,
            num_locks=1,
            callback_timeout=_CONNECTING,
        )
        return bool(asked)

    def has_begun(self, token: str) -> bool:
        """Say whether a worker has begun a task.

        Raises:
            Exception: the scheduler does not answer.
        """
        if not self.claim(token):
            return True
        # A worker that begins at this moment waits for it.
        self.client.sync(self.client.scheduler.multi_lock_release, id=token)
        return False

    def release(self, claim: str) -> None:
        """Forget who began a task: it has ended. Nothing is waited for."""

        async def give_back() -> None:
            with suppress(Exception):
                await self.client.scheduler.multi_lock_release(id=claim)

        with suppress(Exception):
            self.client.loop.add_callback(give_back)

    def close(self) -> None:
        """Leave the cluster; end the worker processes of this computer."""
        for part in (self.client, self._processes):
            with suppress(Exception):
                if part is not None:
                    part.close(timeout=_CONNECTING)
