"""The same jobs on Quix Streams, exactly-once, a commit each 100 ms, in a virtual environment of its own.

It is far slower, so it gets a tenth of the records, in topics of their own. Start-up is not counted: the clock
starts at the first record.
"""

import json
import subprocess
import sys
import venv
from pathlib import Path

from framework.broker.cache import cache_folder, one_at_a_time
from tests.bench.stopwatch import Figures
from tests.bench.workload import EVENT_SCHEMA, TAXED_SCHEMA, Inputs, create_topic

JOBS = ("map", "map-avro", "count", "window", "window-avro", "words")
_PACKAGE = "quixstreams==3.28.0"
_PROGRAM = Path(__file__).with_name("quix_program.py")


def _python() -> Path:
    """The interpreter of the environment; made the first time."""
    folder = cache_folder() / "quix-bench"
    python = folder / "bin" / "python"
    with one_at_a_time(cache_folder()):
        if not (folder / "ready").exists():
            venv.create(folder, with_pip=True, clear=True)
            subprocess.run([str(python), "-m", "pip", "install", "-q", _PACKAGE], check=True, stdout=sys.stderr)
            (folder / "ready").touch()
    return python


def run_quix(job: str, bootstrap: str, inputs: Inputs, output: str) -> Figures:
    """Run the job, one of `JOBS`, into the new topic `output`."""
    create_topic(bootstrap, output)
    command = [
        str(_python()),
        str(_PROGRAM),
        job,
        bootstrap,
        inputs.source(job),
        output,
        str(inputs.records(job)),
        json.dumps([EVENT_SCHEMA, TAXED_SCHEMA]),
    ]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Figures(**json.loads(done.stdout.splitlines()[-1]))
