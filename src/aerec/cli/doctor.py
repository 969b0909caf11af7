"""`aerec doctor`: what is here to compute with."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

from aerec.cli.options import Json
from aerec.cli.output import print_json, print_note

_EXTRAS = {
    "baselines": ["implicit"],
    "report": ["matplotlib"],
    "tune": ["optuna"],
    "serve": ["fastapi", "uvicorn"],
    "track": ["tensorboard", "mlflow"],
    "scale": ["pyarrow", "duckdb"],
    "export": ["onnx", "onnxruntime", "onnxscript", "usearch"],
}


def doctor(json: Json = False) -> None:
    """Show versions, devices, instruction sets, extras and the data folders that were found."""
    import torch

    from aerec.datasets import list_datasets
    from aerec.datasets.catalogue import cache_folder
    from aerec.native.loader import describe
    from aerec.network.device import resolve_device, use_bfloat16
    from aerec.system.environment import describe_machine, package_versions

    device = resolve_device("auto")
    sets = list_datasets()
    environment: dict[str, Any] = {
        "versions": package_versions(),
        "machine": describe_machine(),
        "device": {
            "auto": str(device),
            "bf16": use_bfloat16("auto", device),
            "cuda": [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())],
            "threads": torch.get_num_threads(),
            "kernels": describe(),
        },
        "extras": {extra: all(find_spec(package) for package in packages) for extra, packages in _EXTRAS.items()},
        "data": {
            "AEREC_DATA": os.environ.get("AEREC_DATA"),
            "cache": str(cache_folder()),
            "found": dict(sets.loc[sets["available"] != "", ["name", "available"]].itertuples(index=False)),
        },
    }
    if json:
        print_json(environment)
        return
    for section, content in environment.items():
        print_note(section)
        for name, value in content.items():
            print_note(f"  {name:<16} {_readable(name, value)}")


def _readable(name: str, value: Any) -> str:
    if name == "memory" and value:
        return f"{value / 2**30:.1f} GiB"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} ({answer})" for key, answer in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "not set" if value is None else str(value)
