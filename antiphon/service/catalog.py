"""Which model a name means, and who may use it: the one place where that is decided."""

from collections.abc import Sequence

from antiphon.errors import InvalidRequest, NotFound
from antiphon.ports import Engine, Model
from antiphon.service.caller import Caller


class Catalog:
    """The models of `engine` under all their names. `default` is the name that a request without one means."""

    def __init__(self, engine: Engine, default: str | None = None) -> None:
        self._engine = engine
        self.default = default

    def models(self, caller: Caller) -> Sequence[Model]:
        """What a caller may use: what its tenant may, and its key."""
        return [
            model
            for model in self._engine.models()
            if (model.tenants is None or caller.tenant in model.tenants) and caller.may_use((model.id, *model.aliases))
        ]

    def model(self, name: str, caller: Caller) -> Model:
        """The model of that name, else of that alias, else of the longest pattern that fits.

        Raises: NotFound, also for a model of others.
        """
        return _known(name, self.models(caller))

    def choose(self, name: str | None, caller: Caller) -> Model:
        """The model for a request: the one it names, else the default one, else the only one there is.

        A key that may use certain models only may lack the default one, and then never hears of it.
        Raises: NotFound, InvalidRequest when a name is needed.
        """
        models, default = self.models(caller), self.default
        if name:
            return _known(name, models)
        if default is not None and (caller.models is None or _find(default, models) is not None):
            return _known(default, models)
        if len(models) != 1:
            raise InvalidRequest(
                "Missing required parameter: 'model'.", param="model", code="missing_required_parameter"
            )
        return models[0]


def _known(name: str, models: Sequence[Model]) -> Model:
    found = _find(name, models)
    if found is None:
        raise NotFound(
            f"The model '{name}' does not exist or you do not have access to it.",
            param="model",
            code="model_not_found",
        )
    return found


def _find(name: str, models: Sequence[Model]) -> Model | None:
    found = next((model for model in models if model.id == name), None)
    if found is not None:
        return found
    fitting = [(alias, model) for model in models for alias in model.aliases if _fits(alias, name)]
    return max(fitting, key=_precision)[1] if fitting else None


def _fits(alias: str, name: str) -> bool:
    return name.startswith(alias[:-1]) if alias.endswith("*") else name == alias


def _precision(fitting: tuple[str, Model]) -> tuple[bool, int]:
    alias, _ = fitting
    return not alias.endswith("*"), len(alias)
