#!/usr/bin/env bash
# Build wheel and source archive, install the wheel into a bare environment, do the main job away from the sources.
# PYTHON has the package `build`: `make smoke` sees to it.
set -euo pipefail
python="${PYTHON:-python3}"
root="$(cd "$(dirname "$0")/../.." && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH

step() { echo "smoke: $*"; }
refused() { # an exit code of 2, and the pip line of the extra
    local extra="$1" code=0 said
    shift
    said="$("$@" 2>&1)" || code=$?
    [ "$code" = 2 ] && [[ "$said" == *"pip install 'aerec[$extra]'"* ]] || { echo "not refused as it should be: $said"; exit 1; }
}

step "build"
"$python" -m build --outdir "$work/dist" "$root" > "$work/build.log" 2>&1 || { tail -20 "$work/build.log"; exit 1; }
wheel="$(ls "$work"/dist/*.whl)"

step "install $(basename "$wheel") into a bare environment"
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q -c "$root/constraints.txt" torch
"$work/venv/bin/python" -m pip install -q -c "$root/constraints.txt" "$wheel"
"$work/venv/bin/python" -m pip check
export PATH="$work/venv/bin:$PATH" OMP_NUM_THREADS=1
cd "$work"

step "what is in the wheel"
python - "$wheel" "$root" <<'CHECK'
import sys, zipfile
from pathlib import Path
wheel, root = sys.argv[1], Path(sys.argv[2])
names = set(zipfile.ZipFile(wheel).namelist())
wanted = {f"aerec/{path.relative_to(root / 'src' / 'aerec').as_posix()}" for path in (root / "src" / "aerec").rglob("*")
          if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".so"}
wanted |= {f"aerec/datasets/cards/{path.name}" for path in (root / "datasets").glob("*.toml")}
assert wanted <= names, f"missing in the wheel: {sorted(wanted - names)}"
assert any(name.startswith("aerec/serving/page/") for name in names), "no page"
strange = {name.split("/")[0] for name in names} - {"aerec"}
assert all(name.endswith(".dist-info") for name in strange), strange
compiled = "aerec/native/libaerec.so" in names
assert compiled != wheel.endswith("-none-any.whl"), wheel
import os, shutil
assert compiled or shutil.which("cc") is None or os.environ.get("AEREC_NATIVE") == "0", "there is a compiler, but no kernels"
from aerec.native.loader import describe
assert describe().startswith("yes" if compiled else "no"), describe()
import aerec
assert str(root) not in aerec.__file__, aerec.__file__
heavy = {"fastapi", "optuna", "matplotlib", "onnx", "tensorboard", "mlflow", "pyarrow", "implicit"} & set(sys.modules)
assert not heavy, f"import aerec imports {heavy}"
CHECK

step "train, recommend, repeat from config.toml"
aerec --version
aerec datasets > datasets.txt
grep -q ml-1m datasets.txt
aerec train sample --model mult-dae --set hidden=32 --epochs 3 --out run --quiet
aerec recommend run --user 1 -k 5 --json | python -c 'import json, sys; assert len(json.load(sys.stdin)) == 5'
aerec recommend run --out everybody.csv > recommended.txt
aerec train --config run/config.toml --out again --quiet > again.txt
cmp run/model/*.safetensors again/model/*.safetensors

step "extras that are not installed are named"
refused serve aerec serve run
refused export aerec export run --format onnx --out model.onnx
refused track aerec train sample --track tensorboard --out other
refused tune aerec tune sample
step "all is well"
