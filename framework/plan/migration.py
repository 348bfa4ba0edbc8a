"""Puts declared migrations to the stores they fill, and checks them."""

from collections.abc import Mapping
from dataclasses import replace

from framework.errors import DeclarationError
from framework.plan.plan import Migration, Plan, StorePlan, SubTopology


def with_migrations(plan: Plan, migrations: Mapping[str, Migration]) -> Plan:
    """The plan with each migration at its store.

    Raises:
        DeclarationError: a store is unknown, still in use, or has no changelog.
    """
    if not migrations:
        return plan
    stores = {store.name: store for sub in plan.sub_topologies for store in sub.stores}
    for migration in migrations.values():
        _check(plan, migration, stores)
    return replace(plan, sub_topologies=tuple(_with_migrations(sub, migrations) for sub in plan.sub_topologies))


def _check(plan: Plan, migration: Migration, stores: Mapping[str, StorePlan]) -> None:
    what = f'{migration.origin}: migrate("{migration.old}", to="{migration.to}")'
    if migration.to not in stores:
        names = ", ".join(stores) or "none"
        raise DeclarationError(f'{what}: the app "{plan.app_id}" has no store "{migration.to}"; its stores: {names}.')
    if migration.old in stores:
        raise DeclarationError(
            f'{what}: the step "{stores[migration.old].node.name}" still keeps its state in "{migration.old}": '
            "state moves from a store that is not there any more."
        )
    if stores[migration.to].is_source:
        raise DeclarationError(f'{what}: "{migration.to}" has no changelog, its rows are those of a topic.')


def _with_migrations(sub: SubTopology, migrations: Mapping[str, Migration]) -> SubTopology:
    stores = tuple(replace(store, migration=migrations.get(store.name)) for store in sub.stores)
    return replace(sub, stores=stores)
