"""The app that the fault tests kill: two shapes of counting, every change written out.

Usage: chaos_app.py APP_ID SETTINGS_AS_JSON; topics are APP_ID-left, -right, -words, -merged, -counted.
It dies with the process that started it, so that a test that fails leaves nothing behind.
"""

import ctypes
import json
import logging
import signal
import sys

from framework import App, Stream, Table
from framework.errors import StreamError

_PR_SET_PDEATHSIG = 1


def build_app(app_id: str) -> App:
    app = App(app_id)
    left, right = (app.topic(f"{app_id}-{side}", key=str, value=str) for side in ("left", "right"))
    words = app.topic(f"{app_id}-words", value=str)
    merged = app.topic(f"{app_id}-merged", key=str, value=int)
    counted = app.topic(f"{app_id}-counted", key=str, value=int)

    @app.topology(left, right, to=merged)
    def merge_and_count(left: Stream[str, str], right: Stream[str, str]) -> Table[str, int]:
        return left.merge(right).group_by_key().count(changes="all")

    @app.topology(words, to=counted)
    def regroup_and_count(words: Stream[None, str]) -> Table[str, int]:
        return words.group_by(lambda word: word).count(changes="all")

    return app


def main() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s")
    try:
        build_app(sys.argv[1]).run(**json.loads(sys.argv[2]))
    except StreamError as error:
        logging.getLogger("penstock").error("%s", error)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
