"""Operators: the running half of a plan, pure functions over chunks and stores."""

from framework.operators.base import StepFailed
from framework.operators.pipeline import Pipeline
from framework.operators.sink import Output

__all__ = ["Output", "Pipeline", "StepFailed"]
