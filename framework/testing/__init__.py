"""What tests of apps use: the driver, and pytest fixtures that come with the package."""

from framework.drivers import StoreView, TestDriver

__all__ = ["TestDriver", "StoreView"]
