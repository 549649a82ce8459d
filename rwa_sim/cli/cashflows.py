"""`rwa-sim cashflows`: the events of contracts in the public ACTUS case format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the application."""

    @app.command()
    def cashflows(
        cases: Annotated[Path, typer.Argument(help="JSON file of ACTUS cases: {case_id: {terms, ...}}.")],
        out: Annotated[Path, typer.Option(help="Where to write the events of each case (JSON).")],
        json_output: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    ) -> None:
        """Compute the cash-flow events of ACTUS contracts (PAM, LAM, NAM, ANN).

        A case that cannot be computed is refused by name and does not stop the others. Exit
        code 0: all computed; 1: some refused; 2: the file cannot be read.
        """
        import json

        from rwa_sim.domain.actus.cases import case_json
        from rwa_sim.errors import InputError
        from rwa_sim.files import write_text_atomically

        texts: list[str] = []
        refused: dict[str, str] = {}
        for case_id, raw in _read_cases(cases).items():
            try:
                text = case_json(case_id, raw)
            except InputError as refusal:
                refused[case_id] = str(refusal)
                text = json.dumps({"identifier": case_id, "error": str(refusal)})
            texts.append(f" {json.dumps(case_id)}: {text}")
        write_text_atomically(out, "{\n" + ",\n".join(texts) + "\n}\n")

        if json_output:
            typer.echo(
                json.dumps({"cases": len(texts), "computed": len(texts) - len(refused), "refused": refused})
            )
        else:
            for case_id, reason in refused.items():
                typer.echo(f"refused {case_id}: {reason}", err=True)
            typer.echo(f"{len(texts) - len(refused)} of {len(texts)} cases computed, {out} written")
        if refused:
            raise typer.Exit(1)


def _read_cases(path: Path) -> dict[str, object]:
    """The cases of a file by id.

    Raises:
        DataMissing: there is no such file.
        InputError: it is not a JSON object of cases.
    """
    import json

    from rwa_sim.errors import DataMissing, InputError

    if not path.is_file():
        raise DataMissing(where="cashflows", key="CASES", path=str(path))
    try:
        # Numbers stay text until they become exact: a float would lose digits.
        document = json.loads(path.read_text(encoding="utf-8"), parse_float=str, parse_int=str)
    except (ValueError, RecursionError) as fault:
        raise InputError(where=str(path), expected="JSON", got=str(fault)) from None
    if not isinstance(document, dict):
        raise InputError(
            where=str(path), expected="a JSON object {case_id: {terms, ...}}", got=type(document).__name__
        )
    return document
