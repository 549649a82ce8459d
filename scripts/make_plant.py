"""Write the demo's input: one typical year of a 1 MWp plant, hourly energy in whole Wh.

python scripts/make_plant.py [--out scenarios/data/plant_1mwp.csv]
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path

from oracles.devices.pv_plant import TYPICAL_YEAR, WEATHER_FILE, PvPlant

OUT = Path(__file__).parent.parent / "scenarios" / "data" / "plant_1mwp.csv"


def render(plant: PvPlant) -> str:
    import pvlib

    energy_wh = plant.typical_year_wh()
    lines = [
        f"# {plant.kwp} kWp plant, {plant.ac_kw} kW AC, tilt {plant.tilt_deg}, azimuth {plant.azimuth_deg}",
        f"# one typical year, {WEATHER_FILE} (NREL TMY3), pvlib {pvlib.__version__}; generated, not measured",
        f"# year {sum(energy_wh)} Wh; {TYPICAL_YEAR} only names the rows; no ageing",
        "# written by scripts/make_plant.py",
        "interval_start,energy_wh",
    ]
    first = datetime(TYPICAL_YEAR, 1, 1, tzinfo=UTC)
    for hour, wh in enumerate(energy_wh):
        lines.append(f"{first + timedelta(hours=hour):%Y-%m-%dT%H:%MZ},{wh}")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()

    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(render(PvPlant()), encoding="utf-8")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
