"""The parameters of a judge's constructor, as scikit-learn asks for them."""

from __future__ import annotations

import inspect
from typing import Any, Self

from ..models.errors import InnerjudgeError


class Parameters:
    """An object whose constructor checks its parameters and stores each, as it was given, under its own name."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters of the constructor, by name and as they were given (``deep`` is ignored: judges do not nest).

        With :meth:`set_params` this is what ``sklearn.base.clone`` and a grid search ask for.

        Example:
            >>> from innerjudge.probes import LAGER
            >>> LAGER(norm=True).get_params()["norm"]
            True
        """
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Self:
        """Change parameters of the constructor, which checks them; what ``fit`` learned stays until the next fit.

        Raises:
            InnerjudgeError: If there is no such parameter, or the constructor refuses a value; nothing is changed then.

        Example:
            >>> from innerjudge.probes import LAGER
            >>> LAGER().set_params(norm=True)
            LAGER(norm=True)
        """
        known = self.get_params()
        unknown = sorted(params.keys() - known.keys())
        if unknown:
            raise InnerjudgeError(
                f"given {', '.join(unknown)} to {type(self).__name__}, expected parameters of it: {', '.join(known)}"
            )
        made: Any = type(self)
        self.__dict__.update(made(**(known | params)).__dict__)
        return self

    def __repr__(self) -> str:
        changed = [
            f"{name}={getattr(self, name)!r}"
            for name, p in inspect.signature(type(self)).parameters.items()
            if repr(getattr(self, name)) != repr(p.default)
        ]
        return f"{type(self).__name__}({', '.join(changed)})"
