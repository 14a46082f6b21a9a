"""The house keeps its own rules: floors, includes, objects, stubs, catalogues, docstrings, words."""

from __future__ import annotations

import ast
import functools
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kinfold
from kinfold.base import registry

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "python" / "kinfold"
CPP = ROOT / "cpp"
MODULES = sorted(PACKAGE.rglob("*.py"))
CPP_FILES = sorted(p for p in CPP.rglob("*") if p.suffix in (".h", ".cpp", ".def"))

OPTIONAL = ("torch", "cv2", "PIL", "scipy", "sklearn", "matplotlib", "h5py")
NUMERIC_ROOMS = (
    "base",
    "io",
    "evaluate",
    "store",
    "transform",
    "quantize",
    "index",
    "graph",
    "classify",
    "words",
    "aggregate",
    "manifold",
    "shards",
    "workers",
)
NOT_ON_NUMERIC_FLOORS = ("torch", "cv2", "PIL")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


# --- imports ---------------------------------------------------------------------------------------


def test_imports_go_downstairs_only() -> None:
    pytest.importorskip("importlinter")
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = run(sys.executable, "-c", code, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_imports_alone_with_numpy() -> None:
    code = (
        "import sys, time, numpy; before = set(sys.modules); start = time.perf_counter(); import kinfold;"
        "print(f'{time.perf_counter() - start:.3f} s'); print(*(set(sys.modules) - before))"
    )
    done = run(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    seconds, modules = done.stdout.splitlines()
    print("import kinfold beyond numpy:", seconds)
    tops = {module.split(".")[0] for module in modules.split()}
    assert tops - set(sys.stdlib_module_names) == {"kinfold"}


def test_public_names_resolve() -> None:
    for name in kinfold.__all__:
        assert getattr(kinfold, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Galery'"):
        kinfold.Galery  # noqa: B018


def test_stub_of_the_package_lists_the_public_names() -> None:
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text())
    stubbed = {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    stubbed |= {
        n.target.id for n in tree.body if isinstance(n, ast.AnnAssign) and n.target.id != "__all__"
    }
    assert stubbed == {*kinfold.__all__, *kinfold._ROOMS}


def test_numeric_rooms_work_where_torch_opencv_and_pillow_are_missing() -> None:
    names = [
        "kinfold."
        + ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        for room in NUMERIC_ROOMS
        for path in (PACKAGE / room).rglob("*.py")
    ]
    code = (
        f"import importlib, sys; sys.modules.update(dict.fromkeys({OPTIONAL!r}));"
        f"[importlib.import_module(name) for name in {names!r}]"
    )
    done = run(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("room", NUMERIC_ROOMS)
def test_numeric_rooms_require_no_torch_opencv_or_pillow_later_either(room) -> None:
    for path in (PACKAGE / room).rglob("*.py"):
        if name_of(path).endswith("base/extras.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require":
                wanted = ast.literal_eval(node.args[0]).split(".")[0]
                assert wanted not in NOT_ON_NUMERIC_FLOORS, f"{name_of(path)}:{node.lineno}"


def imports_at_load(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Imports that run when the module is loaded: not in functions, not for type checkers alone."""
    todo: list[ast.stmt] = list(tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo += node.orelse
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            todo += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]


def test_optional_packages_are_imported_at_first_use() -> None:
    for path in MODULES:
        for line, module in imports_at_load(ast.parse(path.read_text())):
            assert module.split(".")[0] not in OPTIONAL, f"{name_of(path)}:{line} imports {module}"


def imported_modules(path: Path) -> set[str]:
    """Modules of the package that a file imports, wherever in the file: in functions and for type checkers too."""
    wanted = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            wanted |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            wanted |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return wanted


ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
# A method that offers, for convenience, what stands on its class.
OFFERED_FROM_BELOW = {"kinfold.index.base": {"kinfold.index.tune"}}


@pytest.mark.parametrize("room", ROOMS)
def test_no_imports_in_a_circle_inside_a_room(room) -> None:
    """What stands in a circle cannot be read, or tested, alone. A room's ``__init__`` offers what lies below it: only
    what it imports when it is loaded counts."""
    names = {
        "kinfold."
        + ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in (PACKAGE / room).rglob("*.py")
    }
    below = {
        name: (
            {module for _, module in imports_at_load(ast.parse(path.read_text()))}
            if path.name == "__init__.py"
            else imported_modules(path)
        )
        & names.keys() - {name} - OFFERED_FROM_BELOW.get(name, set())
        for name, path in names.items()
    }
    while free := [name for name, others in below.items() if not others & below.keys()]:
        for name in free:
            del below[name]
    circle = {name: sorted(others & below.keys()) for name, others in below.items()}
    assert not circle, f"these import each other, or stand above such: {circle}"


def test_library_code_neither_prints_nor_exits() -> None:
    speaks = {PACKAGE / "base" / "config.py", PACKAGE / "__main__.py"}
    for path in MODULES:
        if path in speaks or PACKAGE / "cli" in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("print", "exit", "quit", "sys.exit", "os._exit"), (
                    f"{name_of(path)}:{node.lineno} calls {called}"
                )


# --- C++ -------------------------------------------------------------------------------------------

# Which rooms a room's files may include, besides its own.
FLOORS = {
    "core": (),
    "simd": ("core",),
    "kernels": ("simd",),
    "scan": ("core", "simd", "kernels"),
    "lists": ("core", "simd", "kernels", "scan"),
    "codecs": ("core", "simd", "kernels", "scan", "lists"),
    "tree": ("core", "simd", "kernels"),
    "words": ("core", "simd", "kernels"),
    "quantize": ("core", "simd", "kernels", "scan"),
    "candidates": ("core", "simd", "kernels", "scan"),
    "neighbours": ("core", "simd", "kernels", "scan"),
    "graph": ("core", "simd", "kernels"),
    "geometry": ("core", "simd", "kernels"),
}
FLOORS["bind"] = tuple(FLOORS)
# The dispatcher holds the tables of kernels: the one look upstairs.
EXCEPTIONS = {("cpp/simd/dispatch.cpp", "kernels/table.h")}
KERNEL_SYSTEM_HEADERS = {"cstddef", "cstdint", "immintrin.h", "arm_neon.h"}


def includes(path: Path) -> Iterator[tuple[str, str]]:
    yield from re.findall(r'^\s*#\s*include\s*(["<])([^">]+)[">]', path.read_text(), re.M)


@pytest.mark.parametrize("path", CPP_FILES, ids=name_of)
def test_includes_go_downstairs_only(path) -> None:
    room = path.relative_to(CPP).parts[0]
    for quote, name in includes(path):
        if quote == '"' and (name_of(path), name) not in EXCEPTIONS:
            assert name.split("/")[0] in (room, *FLOORS[room]), name
            assert (CPP / name).is_file(), f"{name}: spelled from the root of cpp/"
        if room != "bind":
            assert not name.startswith(("pybind11", "Python.h")), name
        if name.split("/")[0] in ("Eigen", "unsupported"):
            assert room in ("quantize", "graph", "geometry"), name
            assert path.suffix == ".cpp", f"{name}: Eigen never in a header"
        if (room == "kernels" or name_of(path) == "cpp/simd/vec.h") and quote == "<":
            assert name in KERNEL_SYSTEM_HEADERS, name


def test_the_engine_neither_prints_nor_opens_files() -> None:
    forbidden = re.compile(
        r"\b(std::c(out|err)|f?printf|fopen|[io]?fstream|abort|exit|terminate)\b\s*[(<]?"
    )
    for path in CPP_FILES:
        code = re.sub(r"//.*|\"(\\.|[^\"\\])*\"", "", path.read_text())
        assert not forbidden.search(code), f"{name_of(path)}: {forbidden.search(code)}"


def level_objects() -> dict[str, list[Path]]:
    """The kernels' object files of the newest build, by level."""
    builds: dict[Path, dict[str, list[Path]]] = {}
    for path in ROOT.glob("build/*/cpp/CMakeFiles/kf_kernels_*.dir/kernels/*.o"):
        build = path.relative_to(ROOT / "build").parts[0]
        if build not in ("asan", "tsan"):  # instrumented code calls its runtime
            level = path.parts[-3].removeprefix("kf_kernels_").removesuffix(".dir")
            builds.setdefault(ROOT / "build" / build, {}).setdefault(level, []).append(path)
    if not builds or shutil.which("nm") is None or sys.platform != "linux":
        pytest.skip("needs a build folder under build/ and nm")
    return max(
        builds.values(), key=lambda b: max(p.stat().st_mtime for ps in b.values() for p in ps)
    )


def test_level_objects_share_no_code() -> None:
    """A function that two objects define alike is merged by the linker: then an old processor may be
    given the copy with instructions that it lacks."""
    allowed = {"memcpy", "memset", "memmove", "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"}
    for level, objects in level_objects().items():
        own = f"_ZN2kf{len(level)}{level}"
        own_const = f"_ZNK2kf{len(level)}{level}"
        for path in objects:
            listing = run("nm", "--no-sort", path)
            assert listing.returncode == 0, listing.stderr
            for line in listing.stdout.splitlines():
                kind, symbol = line.split()[-2:]
                where = f"{level}/{path.name}: {line}"
                assert kind not in "WVuvw", f"weak symbol, {where}"
                assert kind.islower() or symbol.startswith((own, own_const)) or symbol in allowed, (
                    where
                )


# --- stubs, catalogues, words ----------------------------------------------------------------------


def signatures(folder: Path) -> set[str]:
    """module.qualified.name(arguments) of everything in a folder of stubs."""

    def of(node: ast.AST, prefix: str) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef):
                arguments = [a.arg for a in (*child.args.posonlyargs, *child.args.args)]
                yield f"{prefix}.{child.name}({', '.join(arguments)})"
            elif isinstance(child, ast.ClassDef):
                yield from of(child, f"{prefix}.{child.name}")
            elif isinstance(child, ast.AnnAssign) and ast.unparse(child.target) != "__all__":
                yield f"{prefix}.{ast.unparse(child.target)}"

    return {s for file in folder.glob("*.pyi") for s in of(ast.parse(file.read_text()), file.stem)}


def test_stubs_of_the_compiled_module_are_current(tmp_path) -> None:
    pytest.importorskip("pybind11_stubgen")
    done = run(sys.executable, ROOT / "dev" / "stubs.py", tmp_path / "made")
    assert done.returncode == 0, done.stderr
    assert signatures(PACKAGE / "_core") == signatures(tmp_path / "made"), "run python dev/stubs.py"


def every_method() -> list[tuple[str, str, str]]:
    return [
        (room.name, name, target)
        for room in sorted(PACKAGE.iterdir())
        if (room / "__init__.py").is_file() and "METHODS" in (room / "__init__.py").read_text()
        for name, target in registry.catalogue(room.name).items()
    ]


@pytest.mark.parametrize(("room", "name", "target"), every_method(), ids=lambda part: part)
def test_catalogue(room, name, target) -> None:
    """Each line resolves, and has a page among the methods."""
    assert target.startswith(f"kinfold.{room}."), target
    if room in ("features", "learn", "images", "gallery"):
        pytest.importorskip("torch" if room in ("features", "learn") else "cv2")
    assert registry.resolve(target) is not None
    attribute = target.partition(":")[2]
    pages = "".join(page.read_text() for page in (ROOT / "docs" / "methods").glob("*.md"))
    mentioned = re.search(rf"\b({attribute}|{re.escape(name)})\b", pages)
    assert mentioned, f"no page under docs/methods mentions {attribute}"


# Files whose tests are another file's: parts that are seen through the whole, and protocols.
MIRRORED_ELSEWHERE = {
    "base/estimator.py": "properties/test_estimators.py",
    "base/frames.py": "properties/test_estimators.py",
    "base/learnt.py": "base/test_declared.py",
    "base/parameters.py": "base/test_declared.py",
    "cli/bench_data.py": "cli/test_bench.py",
    "cli/mcp.py": "serve/test_mcp.py",
    "cli/export_vectors.py": "cli/test_import_vectors.py",
    "cli/dedup.py": "gallery/views/test_dedup.py",
    "report/duplicates.py": "gallery/views/test_dedup.py",
    **{
        f"report/figures/{name}.py": "report/figures/test_figures.py"
        for name in (
            "codes",
            "embeddings",
            "flows",
            "lists",
            "patches",
            "tracks",
            "losses",
            "photos",
            "plane",
            "ranked_list",
        )
    },
    "report/figures/triangulation.py": "report/figures/test_figures.py",
    "cli/train/siamese.py": "cli/train/test_labelled.py",
    "cli/train/triplet.py": "cli/train/test_labelled.py",
    "datasets/building.py": "datasets/test_synthetic.py",
    "datasets/street.py": "datasets/test_synthetic.py",
    "datasets/facade.py": "datasets/test_synthetic.py",
    "datasets/figures.py": "datasets/test_synthetic.py",
    "features/field.py": "features/test_receptive_field.py",
    "features/models/load.py": "features/models/test_spec.py",
    "features/models/torched.py": "features/models/test_exported.py",
    "features/network.py": "features/test_extract.py",
    "features/pool/grid.py": "features/pool/test_regions.py",
    "features/pooling.py": "features/test_extract.py",
    "features/whitening.py": "features/test_extract.py",
    "index/codecs/base.py": "index/test_parts.py",
    "index/codecs/codes.py": "index/test_parts.py",
    "index/codecs/local.py": "index/test_parts.py",
    "index/codecs/narrow.py": "index/codecs/test_scalar.py",
    "index/codecs/raw.py": "index/test_parts.py",
    "index/coarse/base.py": "index/test_parts.py",
    "index/fine.py": "index/test_cells.py",
    "index/kd_manners.py": "index/test_kd_tree.py",
    "index/kd_scan.py": "index/test_trees.py",
    "index/proposers/base.py": "index/test_candidates.py",
    "index/segmented.py": "properties/test_dictionary.py",
    "report/answer.py": "report/test_page.py",
    "report/match_view.py": "report/test_page.py",
    "report/pictures.py": "report/test_content.py",
    "report/plot.py": "report/test_curves.py",
    "report/seen.py": "report/test_page.py",
    "rerank/along_graph.py": "rerank/test_pipeline.py",
    "rerank/stage.py": "rerank/test_pipeline.py",
    "serve/explained.py": "serve/routes/test_search.py",
    "serve/grouped.py": "serve/routes/test_groups.py",
    "serve/errors.py": "serve/routes/test_search.py",
    "serve/service.py": "serve/routes/test_search.py",
    "serve/shapes.py": "serve/routes/test_search.py",
    "serve/told.py": "serve/routes/test_search.py",
    "shards/scattered.py": "shards/test_sharded.py",
    "shards/shard.py": "shards/test_crew.py",
    "store/packing.py": "store/test_segments.py",
    "store/table.py": "properties/test_dictionary.py",
    "transform/directions.py": "transform/test_pca.py",
    "workers/here.py": "workers/test_worker.py",
    "words/inverted_file.py": "words/test_asmk.py",
    "words/photos.py": "words/test_bag_of_words.py",
    "words/scoring.py": "words/test_bag_of_words.py",
}
# Rooms that are asked as a whole: a gallery is a folder, whatever its files share among them.
SEEN_WHOLE = ("gallery",)


def mirror_of(path: Path) -> Path:
    inside = path.relative_to(PACKAGE)
    return ROOT / "tests" / inside.with_name(f"test_{inside.name}")


@pytest.mark.parametrize("path", [p for p in MODULES if p.stem[:2] != "__"], ids=name_of)
def test_every_file_has_its_mirror(path) -> None:
    inside = path.relative_to(PACKAGE).as_posix()
    elsewhere = MIRRORED_ELSEWHERE.get(inside)
    if inside.split("/")[0] in SEEN_WHOLE:
        return
    assert mirror_of(path).is_file() != (elsewhere is not None), (
        f"{name_of(mirror_of(path))} is missing, or MIRRORED_ELSEWHERE still names {inside}"
    )
    assert elsewhere is None or (ROOT / "tests" / elsewhere).is_file()


def test_only_files_that_are_there_are_mirrored_elsewhere() -> None:
    assert [name for name in MIRRORED_ELSEWHERE if not (PACKAGE / name).is_file()] == []


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def public_definitions(tree: ast.Module) -> Iterator[tuple[int, str, bool]]:
    def of(body: list[ast.stmt], prefix: str) -> Iterator[tuple[int, str, bool]]:
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                if any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list):
                    continue  # documented by the one that follows
                yield node.lineno, prefix + node.name, ast.get_docstring(node) is not None
                if isinstance(node, ast.ClassDef):
                    yield from of(node.body, f"{prefix}{node.name}.")

    yield from of(tree.body, "")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_public_names_have_docstrings(path) -> None:
    """A method may leave it to the protocol that it follows, in its room or in base."""
    tree = parsed(path)
    assert ast.get_docstring(tree) or not tree.body, "the module itself"
    room = PACKAGE / path.relative_to(PACKAGE).parts[0]
    documented_once = {
        name.split(".")[-1]
        for other in (*(room.rglob("*.py") if room.is_dir() else ()), PACKAGE / "base" / "state.py")
        for _, name, documented in public_definitions(parsed(other))
        if documented and "." in name
    }
    for line, name, documented in public_definitions(tree):
        inherited = "." in name and name.split(".")[-1] in documented_once
        assert documented or inherited, f"{name_of(path)}:{line} {name}"


def tracked_files() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    listing = run("git", "-C", ROOT, "ls-files", "-z")
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_tracked_files_name_no_place_of_one_machine() -> None:
    somewhere = re.compile(r"(?<![\w.~*}$/-])/(?:home|root|work|Users|mnt)/\w[^\s'\"`]*")
    for path in tracked_files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found = somewhere.search(text)
        assert found is None, f"{name_of(path)}: {found}"


def test_optional_data_is_named_only_where_it_is_used() -> None:
    may = ("tests/", "benchmarks/", ".ci/")
    for path in tracked_files():
        if not name_of(path).startswith(may) and path.suffix in (
            ".py",
            ".cpp",
            ".h",
            ".toml",
            ".txt",
        ):
            assert "../shared" not in path.read_text(), name_of(path)


def test_only_text_small_pictures_and_one_model_are_tracked() -> None:
    model = PACKAGE / "gallery" / "brought.npz"
    for path in tracked_files():
        limit = 1_500_000 if path.suffix in (".png", ".jpg", ".kin", ".npz") else 400_000
        limit = 5_000_000 if path == model else limit
        assert path.stat().st_size < limit, name_of(path)
        assert path.suffix not in (".so", ".o", ".pyc", ".pkl"), name_of(path)
