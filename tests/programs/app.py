"""The programs as an app that the command can run; its id comes from the environment."""

import os

from tests.programs.language import build

app, PROGRAMS = build(os.environ.get("PENSTOCK_PROGRAMS_APP", "programs"))
