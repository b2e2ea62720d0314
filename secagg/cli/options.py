"""Commands whose options are the fields of dataclasses, so that each setting is spelled once.

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        rounds: Annotated[int, typer.Option(min=1, help="How many rounds there are.")] = 20

    def train(settings: Settings, quiet: Quiet = False) -> None: ...

    app.command()(from_fields(train))

Name, type, default, range, help text and check of an option are those of its field.  Typer reads
the fields as if they were parameters of the function.
"""

from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints


def from_fields(function: Callable[..., None]) -> Callable[..., None]:
    """The function as typer is to see it: a parameter that is a dataclass becomes its fields."""
    parameters = signature(function, eval_str=True).parameters.values()
    records = {p.name: p.annotation for p in parameters if _is_record(p.annotation)}

    def command(**given: Any) -> None:
        made = {
            name: record(**{field.name: given.pop(field.name) for field in fields(record)})
            for name, record in records.items()
        }
        function(**made, **given)

    flat = [one for parameter in parameters for one in _expanded(parameter)]
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in flat}
    command.__signature__ = Signature(flat)  # type: ignore[attr-defined]
    return command


def _expanded(parameter: Parameter) -> Iterator[Parameter]:
    if not _is_record(parameter.annotation):
        yield parameter.replace(kind=Parameter.KEYWORD_ONLY)
        return
    hints = get_type_hints(parameter.annotation, include_extras=True)
    for field in fields(parameter.annotation):
        yield Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=_default(field),
            annotation=hints[field.name],
        )


def _default(field: "Field[Any]") -> object:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return Parameter.empty if field.default is MISSING else field.default


def _is_record(annotation: object) -> bool:
    return isinstance(annotation, type) and is_dataclass(annotation)
