"""OCPP's JSON schemas, each compiled to Python code once: same verdicts, a tenth of the time.

The protocol library checks each message by walking its schema. Here compiled code says yes; whatever it
does not accept, the library's own validator judges, and words the error. Compiled like that validator
reads them: as draft 4, without formats, without filling in defaults.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from oracles.adapters.ocpp_station import load_ocpp

_DRAFT_4 = "http://json-schema.org/draft-04/schema#"


class CompiledValidator:
    """A validator of the protocol library with compiled code before it."""

    def __init__(self, exact: Any) -> None:
        (fastjsonschema,) = load_ocpp("fastjsonschema")
        schema = {**exact.schema, "$schema": _DRAFT_4}
        self._quick = fastjsonschema.compile(schema, use_default=False, use_formats=False)
        self._refused = fastjsonschema.JsonSchemaValueException
        self._exact = exact

    def validate(self, payload: Any) -> None:
        """Accept a payload, or raise what the library's validator raises."""
        try:
            self._quick(payload)
        except self._refused:
            self._exact.validate(payload)


@lru_cache(maxsize=1)
def compile_schemas() -> None:
    """Have the protocol library use compiled validators, in this process, from now on.

    Raises:
        ExtraMissing: `ocpp` or `fastjsonschema` is not installed.
    """
    (messages,) = load_ocpp("ocpp.messages")
    exact_validator = messages.get_validator

    @lru_cache(maxsize=512)
    def compiled(message_type: int, action: str, version: str) -> CompiledValidator:
        return CompiledValidator(exact_validator(message_type, action, version))

    def get_validator(message_type: int, action: str, version: str, parse_float: Any = float) -> Any:
        if parse_float is not float:  # decimals, in three messages of 1.6
            return exact_validator(message_type, action, version, parse_float)
        return compiled(message_type, action, version)

    messages.get_validator = get_validator
