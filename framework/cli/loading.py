"""From `package.module:variable` to the App: imports the user's module and says clearly what is wrong with it."""

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path

from framework.dsl import App
from framework.errors import DeclarationError, StreamError


class AppNotFound(StreamError):
    """APP does not lead to an App; the message says how far it led."""

    exit_code = 2


def load_app(target: str) -> App:
    """The App that APP names.

    Raises:
        AppNotFound: no such module, the module cannot be imported, or it has no such App.
        DeclarationError: the app is declared wrongly.
    """
    module_name, _, variable = target.partition(":")
    look_here()
    module = _import(module_name)
    if variable:
        app = getattr(module, variable, None)
        if isinstance(app, App):
            return app
        what = f"is a {type(app).__name__}, not an App" if app is not None else "does not exist"
        raise AppNotFound(f"{variable} in {module_name} {what}{_known(module_name, vars(module))}")
    apps = {id(value): value for value in vars(module).values() if isinstance(value, App)}
    if len(apps) == 1:
        return next(iter(apps.values()))
    if not apps:
        raise AppNotFound(f'{module_name} has no App: declare one, as in app = App("{module_name.split(".")[-1]}").')
    raise AppNotFound(f"{module_name} has {len(apps)} Apps: say which one{_known(module_name, vars(module))}")


def look_here() -> None:
    """Make the modules of the current folder importable, as `python -m` would."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def module_file(target: str) -> Path:
    """The file of the module that APP names; its packages are imported, the module itself is not.

    Raises:
        AppNotFound: there is none.
    """
    name = target.partition(":")[0]
    look_here()
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError) as error:
        raise _no_module(name) from error
    if spec is None or spec.origin is None:
        raise _no_module(name)
    return Path(spec.origin)


def _import(name: str) -> object:
    try:
        return importlib.import_module(name)
    except DeclarationError:
        raise
    except ModuleNotFoundError as error:
        # Reason: the module itself is missing only if the name that failed leads to it.
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise _no_module(name) from error
        raise _broken(name, error) from error
    except ValueError as error:
        if not name or name.startswith("."):
            raise _no_module(name) from error
        raise _broken(name, error) from error
    except Exception as error:
        raise _broken(name, error) from error


def _no_module(name: str) -> AppNotFound:
    hint = ", as in apps.wordcount.app:app, not a path" if "/" in name or name.endswith(".py") else ""
    return AppNotFound(
        f'there is no module "{name}" to be found from {Path.cwd()}: APP is package.module:variable{hint}.'
    )


def _broken(name: str, error: Exception) -> AppNotFound:
    """An error in the user's module, with the line of the user's that led to it."""
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{error.filename}:{error.lineno}"
    else:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if not _is_machinery(f.filename)]
        where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else name
    return AppNotFound(f"{where}: {name} cannot be imported: {type(error).__name__}: {error}.")


def _is_machinery(file: str) -> bool:
    return file.startswith("<frozen") or Path(file) == Path(__file__) or "importlib" in Path(file).parts


def _known(module_name: str, names: dict[str, object]) -> str:
    known = [f"{module_name}:{name}" for name, value in names.items() if isinstance(value, App)]
    return f" ({', '.join(known)})." if known else ", and there is no other App in it."
