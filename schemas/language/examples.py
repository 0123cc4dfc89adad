"""Examples of the schemas, as written in a file."""

from soak.schemas.conformity import Schema
from soak.schemas.language.schema import resolve


def example(schema: Schema) -> str:
    """An example value of the schema as written in a file: its own, or its required keys with theirs."""
    schema = resolve(schema)
    if schema.get("examples"):
        return _flow(schema["examples"][0])
    names = schema.get("propertyNames", {}).get("examples", [])
    entry: Schema = schema.get("additionalProperties") or {}
    properties = schema.get("properties") or dict.fromkeys(names, entry)
    keys = schema.get("required", list(properties)[:1])
    return "{" + ", ".join(f"{key}: {example(properties[key])}" for key in keys) + "}"


def _flow(value: object) -> str:
    """A value as written in a file, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"[{', '.join(map(_flow, value))}]" if isinstance(value, list) else str(value)


def examples(schema: Schema) -> str:
    """Up to three of them."""
    written = [_flow(each) for each in schema.get("examples", [])][:3]
    return " or ".join((", ".join(written[:-1]), written[-1])) if len(written) > 1 else "".join(written)


def such_as(schema: Schema) -> str:
    """`such as …`, where the schema has examples."""
    return f" such as {examples(schema)}" if schema.get("examples") else ""
