"""A measurement in a process of its own: one thread, no memory left over. Refuses to know what is measured.

Libraries read how many threads they may use when they are loaded, which in the caller is long ago; and memory that an
earlier measurement gave back would hide what the next one takes.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from matcher.evaluation.footprint import Progress
from models.errors import MusterError

_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def measured_apart(measure: Callable[..., Any], *inputs: Any, progress: Progress | None = None, **options: Any) -> Any:
    """What ``measure(*inputs, progress=..., **options)`` gives in a new process; its MusterError is raised here too.

    Function, inputs and answer travel between processes. Raises MusterError if the process ends without an answer.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(sender, measure, inputs, options))
    with _one_thread():
        process.start()
    sender.close()  # so that the end of the process is the end of what can be received
    try:
        return _answer(receiver, progress)
    finally:
        process.terminate()  # it has answered, or is not waited for any more
        process.join()
        receiver.close()


def _answer(receiver: Connection, progress: Progress | None) -> Any:
    while True:
        try:
            kind, content = receiver.recv()
        except EOFError as error:
            raise MusterError("The process that measured was ended from outside, for memory perhaps.") from error
        if kind == "answer":
            return content
        if kind == "error":
            raise content
        if progress:
            progress(*content)


def _measure(sender: Connection, measure: Callable[..., Any], inputs: Any, options: dict[str, Any]) -> None:
    try:
        answer = measure(*inputs, progress=lambda done, total: sender.send(("progress", (done, total))), **options)
    except MusterError as error:
        sender.send(("error", error))
    else:
        sender.send(("answer", answer))


@contextmanager
def _one_thread() -> Iterator[None]:
    """The environment that a process started meanwhile inherits."""
    before = {name: os.environ.get(name) for name in _THREAD_LIMITS}
    os.environ.update(dict.fromkeys(_THREAD_LIMITS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
