"""Stream time without records: a task whose inputs are idle follows its peers, so that final results come out.

Peers are the other tasks of its sub-topology on the same worker; those of other workers are not seen. While some of
them get records, it follows the one of these that is least far; when all are idle, the one that is farthest.
"""

from collections.abc import Mapping

from framework.runtime.task import Task


def stream_times_to_follow(last_seen_ms: Mapping[Task, int], now_ms: int, timeout_ms: int) -> dict[Task, int]:
    """The stream time (ms) that each idle task is to move on to; those that are there already are left out.

    Args:
        last_seen_ms: by running task, the time of day when it last got a record, or began.
        now_ms: the time of day.
        timeout_ms: after so long without records a task is idle; 0: none ever is.
    """
    if not timeout_ms:
        return {}
    idle = {task for task, seen_ms in last_seen_ms.items() if now_ms - seen_ms >= timeout_ms}
    found: dict[Task, int] = {}
    for task in idle:
        if not task.is_event_timed:
            continue
        peers = [other for other in last_seen_ms if other.sub is task.sub and other is not task]
        active = [peer.state.stream_time_ms for peer in peers if peer not in idle]
        reached = min(active) if active else max((peer.state.stream_time_ms for peer in peers), default=-1)
        if reached > task.state.stream_time_ms:
            found[task] = reached
    return found
