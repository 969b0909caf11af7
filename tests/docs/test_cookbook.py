"""The notebooks of the cookbook run from start to end, and their stored outputs are those of their present code."""

import ast
import importlib.util
import json
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOKS = sorted((DOCS / "cookbook").glob("*.ipynb"))
NEEDED = {  # beside what aerec itself needs
    "digits": ["matplotlib"],
    "exporting-and-serving": ["fastapi", "onnxruntime", "onnxscript", "usearch", "uvicorn"],
    "larger-than-memory": ["duckdb", "pyarrow"],
    "tuning": ["matplotlib", "optuna"],
}


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


def code_cells(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def has_html(value):
    return getattr(value, "_repr_html_", None) is not None


@pytest.mark.no_cover
@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive", "ignore:1 duplicated")
def test_a_notebook_runs_to_what_is_stored(path, monkeypatch, tmp_path):
    """Cells run in this process, which has imported what they need; what ends a cell shows itself as it is stored."""
    for module in NEEDED.get(path.stem, ()):
        pytest.importorskip(module)
    if "matplotlib" in NEEDED.get(path.stem, ()):
        pytest.importorskip("matplotlib").use("agg")
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    for number, cell in enumerate(code_cells(path), start=1):
        name = f"{path.name}, code cell {number}"
        body = ast.parse("".join(cell["source"]), name).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), name, "exec"), namespace)
        value = None if last is None else eval(compile(ast.Expression(last.value), name, "eval"), namespace)
        stored = [output["data"] for output in cell["outputs"] if output["output_type"] == "execute_result"]
        assert [has_html(value)] * (value is not None) == ["text/html" in data for data in stored], name


def test_the_stored_outputs_are_those_of_the_code(path):
    spec = importlib.util.spec_from_file_location("cookbook", DOCS / "cookbook.py")
    cookbook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(cookbook)
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["metadata"]["outputs_of"] == cookbook.code_hash(notebook), (
        f"run python docs/cookbook.py {path.stem}"
    )
    outputs = [output for cell in code_cells(path) for output in cell["outputs"]]
    assert any(output["output_type"] == "execute_result" for output in outputs)
    assert not [output for output in outputs if output["output_type"] == "error"]


def test_pictures_are_described_in_words(path):
    for cell in code_cells(path):
        if any("image/png" in output.get("data", {}) for output in cell["outputs"]):
            assert len(cell["metadata"].get("alt", "")) > 20


def test_there_are_eleven():
    assert len(NOTEBOOKS) == 11
