"""The inside of aerec: no circle of imports, no private names across packages, tests that mirror the files."""

import ast
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "aerec"
TESTS = Path(__file__).parent
FILES = sorted(SRC.rglob("*.py"))
OWN = {"self", "cls", "learner"}  # a learner is the copy of an estimator that is trained


def module_of(path):
    parts = ["aerec", *path.relative_to(SRC).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def package_of(module):
    """The folder below aerec that a module is in; its own name where it is in none."""
    return module.split(".")[1] if module.count(".") else module


def imported(tree):
    """Modules that one imports anywhere, for types and inside of functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("aerec"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aerec"):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else node.module


def test_no_circle_of_imports():
    left = {name: set(imported(tree)) & MODULES.keys() - {name} for name, tree in MODULES.items()}
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    assert not left, f"modules that import each other, or such: {sorted(left)}"


def private(name):
    return name.startswith("_") and not name.startswith("__")


def defined(tree):
    """Private names that a module defines: of functions, classes, attributes, fields."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def uses(tree):
    """Private attributes that are asked of something else than the object itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and private(node.attr):
            value = node.value
            is_own = (isinstance(value, ast.Name) and value.id in OWN) or (
                isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "super"
            )
            if not is_own:
                yield node.attr, node.lineno


FOREIGN = {
    ("aerec.models.rec_vae", "_version"),  # PyTorch counts what changed a tensor, and has no other name for it
    ("aerec.network.deferred", "_version"),
    ("aerec.display.notebook", "_repr_mimebundle_"),  # the protocol of IPython
    ("aerec.display.plotting", "_repr_png_"),
    ("aerec.errors", "_getframe"),
    ("aerec.parameters", "_parameter_constraints"),  # what a model declares for it
}


@pytest.mark.parametrize("module", MODULES)
def test_private_names_stay_in_their_package(module):
    own = {name for other, tree in MODULES.items() if package_of(other) == package_of(module) for name in defined(tree)}
    for name, line in uses(MODULES[module]):
        if (module, name) not in FOREIGN:
            assert name in own, f"{module}, line {line}: {name} belongs to an object of another package"
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aerec."):
            for alias in node.names:
                if private(alias.name) and f"{node.module}.{alias.name}" not in MODULES:
                    assert package_of(node.module) == package_of(module), f"{module} imports {alias.name}"


def only_names_others(tree):
    """Whether a module defines nothing of its own: it imports, and says what it exports."""
    return all(isinstance(node, ast.Import | ast.ImportFrom | ast.Expr | ast.Assign) for node in tree.body)


def exported(tree):
    """The names that a module lists in `__all__`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            yield from (name.value for name in getattr(node.value, "elts", []) if isinstance(name, ast.Constant))


@pytest.mark.parametrize("module", MODULES)
def test_no_list_repeats_the_public_names_of_its_module(module):
    named = {
        getattr(node, "name", None) or getattr(getattr(node, "target", None), "id", None)
        for node in MODULES[module].body
    }
    targets = (target for node in MODULES[module].body if isinstance(node, ast.Assign) for target in node.targets)
    named |= {target.id for target in targets if isinstance(target, ast.Name)}
    public = {name for name in named if name and not name.startswith("_")}
    assert not public or set(exported(MODULES[module])) != public, "what has no underscore is public: no list is needed"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SRC).as_posix())
def test_every_file_has_its_tests(path):
    inside = path.relative_to(SRC)
    if path.name.startswith("__") or only_names_others(MODULES[module_of(path)]):
        return
    wanted = TESTS / inside.parent / f"test_{path.stem.lstrip('_')}.py"
    assert wanted.exists(), f"{inside} has no tests/{inside.parent}/{wanted.name}"


def test_documented_import_paths_lead_to_the_classes_that_moved():
    from aerec import Recommender
    from aerec.baselines import BiasBaseline
    from aerec.models import EASE, base, linear, rating

    assert base.Recommender is Recommender
    assert issubclass(EASE, linear.ItemItemRecommender)
    assert issubclass(BiasBaseline, rating.RatingPredictor)
