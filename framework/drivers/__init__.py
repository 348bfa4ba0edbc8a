"""Drivers: the plan and the operators of an app without a broker."""

from framework.drivers.store_view import StoreView
from framework.drivers.topology_driver import TestDriver

__all__ = ["TestDriver", "StoreView"]
