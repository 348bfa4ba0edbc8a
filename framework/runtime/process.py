"""How the process of a worker is set up: Python's garbage collector, and the C library's allocator."""

import ctypes
import gc

_M_ARENA_MAX = -8  # of mallopt(3)
_ARENAS = 2


def limit_arenas() -> None:
    """Let the threads of a process share two arenas; to be called before the client library starts its own.

    Memory: glibc gives each thread an arena, up to eight per core. Fetched records are allocated by a thread of the
    client and freed by the worker's, and each arena keeps what was freed in it. Elsewhere there is nothing to set.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)


def tune_collector(chunk_records: int) -> None:
    """Set the garbage collector up for a process whose work is a worker.

    Cost: by default it looks for cycles after each 700 new objects, that is through all messages of a chunk dozens of
    times before the chunk is done; this took a tenth of the CPU of a count. Now chunks come and go between two looks,
    and what was loaded before the start is not looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(max(50_000, 5 * chunk_records), 20, 100)
