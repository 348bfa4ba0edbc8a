"""How hard Hypothesis tries: `PENSTOCK_HYPOTHESIS=thorough` for a long night, else enough for every run."""

import os

import pytest
from hypothesis import HealthCheck, settings

# Reason: a busy machine is slow at random, which says nothing about the code.
_patient = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
_IS_THOROUGH = os.environ.get("PENSTOCK_HYPOTHESIS", "quick") == "thorough"
_TIMES = 20
settings.register_profile("quick", max_examples=25, **_patient)
settings.register_profile("thorough", max_examples=25 * _TIMES, **_patient)
settings.load_profile("thorough" if _IS_THOROUGH else "quick")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A thorough run tries more also where a test says itself how many examples are enough for every run."""
    functions = {item.obj for item in items if isinstance(item, pytest.Function)} if _IS_THOROUGH else set()
    for function in functions:
        own = getattr(function, "_hypothesis_internal_use_settings", None)
        if own is not None and own.max_examples < settings().max_examples // 2:
            function._hypothesis_internal_use_settings = settings(own, max_examples=own.max_examples * _TIMES)
