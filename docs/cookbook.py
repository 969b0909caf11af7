"""Run the notebooks of docs/cookbook and store their outputs: `python docs/cookbook.py [NAME …]`; needs nbclient.

What would differ from run to run is left out: times of execution, and the temporary names in warnings. Each notebook
holds the hash of the code that its outputs belong to; tests/docs/test_cookbook.py compares.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "cookbook"
_CELL_FILE = re.compile(r"\S*ipykernel_\S+?\.py")


def code_hash(notebook: Any) -> str:
    """Return the hash of all code cells."""
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()


def run(path: Path) -> None:
    """Run a notebook in an empty folder, and write it back with its outputs."""
    import nbformat  # here, so that the tests need neither
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        options = {"resources": {"metadata": {"path": folder}}, "record_timing": False, "store_widget_state": False}
        NotebookClient(notebook, timeout=300, kernel_name="python3", **options).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell["outputs"] = _settled(cell["outputs"])
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata["outputs_of"] = code_hash(notebook)
    nbformat.write(notebook, path)


def _settled(outputs: list[Any]) -> list[Any]:
    """Return outputs that depend on no kernel: not on when it sent them, its temporary files, or its widgets."""
    settled: list[Any] = []
    for output in outputs:
        output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
        if output["output_type"] == "stream":
            output["text"] = _CELL_FILE.sub("notebook", output["text"])
            if settled and settled[-1].get("name") == output["name"]:
                settled[-1]["text"] += output["text"]
                continue
        settled.append(output)
    return settled


if __name__ == "__main__":
    for notebook_path in [FOLDER / f"{name}.ipynb" for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb")):
        run(notebook_path)
        sys.stdout.write(f"{notebook_path.name}\n")
