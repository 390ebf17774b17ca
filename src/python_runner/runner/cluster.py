"""What a run asks of a cluster before its scripts begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.exceptions import PythonRunnerError
from python_runner.execution.environment import given_variables
from python_runner.secret_values import secret_values
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Mapping

    from python_runner.cluster.coordinator import Cluster
    from python_runner.model import Interpreter
    from python_runner.records.locks import FileLock
    from python_runner.runner.context import RunContext


def cluster_variables(
    context: RunContext, variables: Mapping[str, str]
) -> dict[str, str]:
    """Return what crosses to a worker: what the project gives its scripts."""
    settings = context.session.settings
    extra = {**context.project.env, **variables}
    return given_variables(settings.environ, settings.env_names, extra)


def end_elsewhere(context: RunContext, lock: FileLock) -> None:
    """Wait for the end of what an earlier run has left on workers that are not asked.

    Its runner was killed, or did not wait. From now on the lock says whose workers may
    have scripts of this run; those on this computer are found by their marks.
    """
    cluster, stop = context.session.cluster, context.session.stop
    address = cluster.shared_address if cluster else ""
    earlier = lock.cluster
    if earlier and earlier != address:
        from python_runner.cluster.coordinator import (  # noqa: PLC0415 - few have one
            ENDED_AFTER,
        )

        template = N_(
            "the runner of an earlier run did not wait for its scripts in the cluster"
            " {address}: they may run for {time}, which this run waits"
        )
        time = f"{ENDED_AFTER:g} s"
        context.warn(Sentence.of(template, address=earlier, time=time))
        if stop.wait(ENDED_AFTER):
            # Nothing of this run begins any more.
            return
    lock.remember_cluster(address)


def examined(cluster: Cluster, context: RunContext) -> Interpreter:
    """Return the interpreter of a cluster's workers; all of them can run the project.

    Raises:
        PythonRunnerError: they cannot, or secrets would cross a network in the clear.
    """
    project, masker = context.project, context.masker
    if not cluster.is_private:
        given = [script.env for script in project.scripts] or [{}]
        names = {
            name
            for own in given
            for name, value in cluster_variables(context, own).items()
            if any(secret_values({name: value}))
        }
        if names:
            message = _(
                "{names}: secrets cross no network unencrypted; reach the cluster at"
                " tls://, or set them on the workers"
            )
            raise PythonRunnerError(message.format(names=", ".join(sorted(names))))
    try:
        return cluster.examine(project, cluster_variables(context, {}))
    except PythonRunnerError as error:
        raise type(error)(masker.text(str(error))) from None
