"""How hard Hypothesis tries: `PENSTOCK_HYPOTHESIS=thorough` for a long night, else enough for every run."""

import os

from hypothesis import HealthCheck, settings

# Reason: a busy machine is slow at random, which says nothing about the code.
_patient = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("quick", max_examples=25, **_patient)
settings.register_profile("thorough", max_examples=500, **_patient)
settings.load_profile(os.environ.get("PENSTOCK_HYPOTHESIS", "quick"))
