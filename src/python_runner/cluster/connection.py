"""The connection to a Dask scheduler, and what is asked of its workers."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from importlib.util import find_spec
from math import inf
from typing import TYPE_CHECKING, Any

from python_runner.cluster.stoppable import unless_stopped
from python_runner.cluster.unreachable import why_unreachable
from python_runner.cluster.worker import hear_no_signal
from python_runner.exceptions import PythonRunnerError
from python_runner.installation import extra_command
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from python_runner.execution.stop import StopRequest
    from python_runner.model.cluster import ClusterPlace

#: Seconds in which the scheduler, and then a first worker, must be there.
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
        self._words: set[asyncio.Task[None]] = set()
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
                self.client.run(hear_no_signal, on_error="ignore")
        except Exception as error:
            workers_there = self.client is not None
            self.close()
            if workers_there:
                message = _("the cluster {address} has no worker: start one first")
                message = message.format(address=place.address)
            else:
                message = why_unreachable(place.address, error)
            raise PythonRunnerError(message) from error
        #: The stream of this scheduler; that of a restarted one is another.
        self._stream: Any = self.client.scheduler_comm
        self._executors: dict[tuple[tuple[str, float], ...], Any] = {}

    @property
    def is_open(self) -> bool:
        """Whether the scheduler is there, and has been all the time.

        Dask connects to a restarted one by itself, which knows nothing of us.
        """
        client = self.client
        return client.status == "running" and client.scheduler_comm is self._stream

    def submit(
        self,
        function: Callable[..., Any],
        argument: Any,
        resources: Mapping[str, float],
    ) -> Future[Any]:
        """Let a worker that offers ``resources`` call a function; never twice in silence."""
        key = tuple(sorted(resources.items()))
        executor = self._executors.get(key)
        if executor is None:
            options = {"resources": dict(resources)} if resources else {}
            executor = self.client.get_executor(pure=False, retries=0, **options)
            self._executors[key] = executor
        future: Future[Any] = executor.submit(function, argument)
        return future

    def offers(self, seconds: float) -> list[Mapping[str, float]]:
        """Return the resources that each worker offers.

        Raises:
            Exception: the scheduler does not answer.
        """

        async def ask() -> list[Mapping[str, float]]:
            asked = self.client.scheduler.identity(n_workers=-1)
            workers = (await asyncio.wait_for(asked, seconds))["workers"].values()
            return [worker.get("resources") or {} for worker in workers]

        offers: list[Mapping[str, float]] = self.client.sync(ask)
        return offers

    def hear(self, topic: str, heard: Callable[[object], None]) -> None:
        """Have ``heard`` called, in a thread of Dask's, with each event of a topic."""

        def handle(event: Any) -> None:
            # What it raises would end the client.
            with suppress(Exception):
                heard(event[1])

        self.client.subscribe_topic(topic, handle)

    def tell(self, worker: str, function: Callable[..., Any], *arguments: Any) -> None:
        """Let a worker call a function; nothing is waited for. Called by :meth:`hear`."""

        async def send() -> None:
            with suppress(Exception):
                await self._run(worker, function, arguments)

        # Else the event loop alone would hold it, and not for long.
        word = asyncio.create_task(send())
        self._words.add(word)
        word.add_done_callback(self._words.discard)

    def workers(self, seconds: float) -> list[str]:
        """Return the addresses of all workers.

        Raises:
            Exception: the scheduler does not answer.
        """

        async def ask() -> list[str]:
            return [*await asyncio.wait_for(self.client.nthreads(), seconds)]

        addresses: list[str] = self.client.sync(ask)
        return addresses

    def ask(
        self,
        function: Callable[..., Any],
        questions: Mapping[str, tuple[Any, ...]],
        seconds: float,
    ) -> dict[str, Any]:
        """Let workers call a function; return the results by address.

        Of one that does not answer in time it is TimeoutError; what one raises is its
        result.

        Args:
            function: what they call.
            questions: its arguments, by the addresses of the workers.
            seconds: most that each may take.
        """

        async def ask(address: str) -> Any:
            asked = self._run(address, function, questions[address])
            try:
                return (await asyncio.wait_for(asked, seconds))[address]
            except TimeoutError:
                return TimeoutError()

        async def ask_them() -> list[Any]:
            return await asyncio.gather(*map(ask, questions), return_exceptions=True)

        return dict(zip(questions, self.client.sync(ask_them), strict=True))

    async def _run(
        self, worker: str, function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> dict[str, Any]:
        answers: dict[str, Any] = await self.client.run(
            function, *arguments, workers=[worker], on_error="return"
        )
        return answers

    def close(self) -> None:
        """Leave the cluster; end the worker processes of this computer."""
        for part in (self.client, self._processes):
            with suppress(Exception):
                if part is not None:
                    part.close(timeout=_CONNECTING)


def connected(place: ClusterPlace, stop: StopRequest) -> Connection:
    """Connect, unless the stop is requested meanwhile.

    Raises:
        Stopped: it is.
        PythonRunnerError: nobody answers.
    """
    # Dask waits for ever for a server that accepts and says nothing.
    seconds = inf if place.local_workers else 2.5 * _CONNECTING
    try:
        return unless_stopped(
            lambda: Connection(place), stop, seconds, Connection.close
        )
    except TimeoutError as error:
        raise PythonRunnerError(why_unreachable(place.address, error)) from None
