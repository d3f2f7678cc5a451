"""Which model a name means, and who may use it: the one place where that is decided."""

from collections.abc import Sequence

from antiphon.errors import InvalidRequest, NotFound
from antiphon.ports import Engine, Model


class Catalog:
    """The models of `engine` under all their names. `default` is the name that a request without one means."""

    def __init__(self, engine: Engine, default: str | None = None) -> None:
        self._engine = engine
        self._default = default

    def models(self, tenant: str) -> Sequence[Model]:
        """What a tenant may use."""
        return [model for model in self._engine.models() if model.tenants is None or tenant in model.tenants]

    def model(self, name: str, tenant: str) -> Model:
        """The model of that name, else of that alias, else of the longest pattern that fits.

        Raises: NotFound, also for a model of other tenants.
        """
        models = self.models(tenant)
        found = next((model for model in models if model.id == name), None)
        if found is None:
            fitting = [(alias, model) for model in models for alias in model.aliases if _fits(alias, name)]
            found = max(fitting, key=_precision, default=("", None))[1]
        if found is None:
            raise NotFound(
                f"The model '{name}' does not exist or you do not have access to it.",
                param="model",
                code="model_not_found",
            )
        return found

    def choose(self, name: str | None, tenant: str) -> Model:
        """The model for a request: the one it names, else the default one, else the only one there is.

        Raises: NotFound, InvalidRequest when a name is needed.
        """
        name = name or self._default
        if name is not None:
            return self.model(name, tenant)
        models = self.models(tenant)
        if len(models) != 1:
            raise InvalidRequest(
                "Missing required parameter: 'model'.", param="model", code="missing_required_parameter"
            )
        return models[0]


def _fits(alias: str, name: str) -> bool:
    return name.startswith(alias[:-1]) if alias.endswith("*") else name == alias


def _precision(fitting: tuple[str, Model]) -> tuple[bool, int]:
    alias, _ = fitting
    return not alias.endswith("*"), len(alias)
