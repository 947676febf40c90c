"""Run a `Plan` on a backend: in order of its dependencies, beside each other where they allow it.

No decision is made here. The first step that fails ends the run: nothing new is started, what runs
is awaited, and its error is raised.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from orchestrator.backends import Backend
from orchestrator.plan import Plan, Step

__all__ = ["apply"]


def apply(
    plan: Plan,
    backend: Backend,
    begin: Callable[[Step], None] = lambda _: None,
    workers: int | None = None,
) -> None:
    """Perform every step; `begin` hears of each before anything of it is done.

    `workers`: acts beside each other, by default as many as the backend has use for.
    """
    waiting = {step.number: step for step in plan.steps}
    finished: set[int] = set()
    running: dict[Future[None], Step] = {}
    pool = ThreadPoolExecutor(max_workers=workers or backend.workers)
    try:
        while waiting or running:
            ready = [step for step in waiting.values() if finished.issuperset(step.after)]
            for step in ready:
                del waiting[step.number]
                begin(step)
                running[pool.submit(backend.perform, step.op)] = step
            completed, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in completed:
                step = running.pop(future)
                future.result()
                finished.add(step.number)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        backend.all_made()
