"""The store keeps what LangChain asks of one: its own conformance suite, and what that leaves out."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

embeddings = pytest.importorskip("langchain_core.embeddings")
documents = pytest.importorskip("langchain_core.documents")

from kinfold.base.errors import FileFormatError
from kinfold.integrations.langchain import KinfoldVectorStore

_SUITE = """
import pytest
from langchain_tests.integration_tests import VectorStoreIntegrationTests
from kinfold.integrations.langchain import KinfoldVectorStore

class TestStore(VectorStoreIntegrationTests):
    @pytest.fixture()
    def vectorstore(self):
        return KinfoldVectorStore(self.get_embeddings(), spec=SPEC)
"""


@pytest.mark.parametrize("spec", ["Flat", "SQfp16"])
def test_the_conformance_suite(spec: str, tmp_path: Path) -> None:
    """In a process of its own: its plugins are not for the other tests."""
    if importlib.util.find_spec("langchain_tests") is None:
        pytest.skip("langchain-tests is not installed")
    suite = _SUITE.replace("SPEC", repr(spec))
    (tmp_path / "test_suite.py").write_text(suite)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
    )
    clean = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path],
        cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "passed" in done.stdout and "failed" not in done.stdout
    passed = int(done.stdout.split(" passed")[0].split()[-1])
    assert passed >= 20, done.stdout


@pytest.fixture
def store() -> KinfoldVectorStore:
    made = KinfoldVectorStore(embeddings.DeterministicFakeEmbedding(size=16))
    made.add_texts(
        [f"text {i}" for i in range(30)], [{"even": i % 2 == 0} for i in range(30)],
        ids=[f"id{i}" for i in range(30)],
    )  # fmt: skip
    return made


def test_scores_are_cosines_and_filters_are_functions(store: KinfoldVectorStore) -> None:
    found = store.similarity_search_with_score("text 7", k=5)
    assert found[0][0].id == "id7" and abs(found[0][1] - 1) < 1e-5
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True) and scores[-1] >= -1
    even = store.similarity_search("text 7", k=30, filter=lambda one: one.metadata["even"])
    assert len(even) == 15 and all(one.metadata["even"] for one in even)
    [(_, relevance), *_] = store.similarity_search_with_relevance_scores("text 7", k=2)
    assert abs(relevance - 1) < 1e-5
    assert store.similarity_search("text 7", k=0) == []


def test_marginal_relevance_prefers_what_is_unlike(store: KinfoldVectorStore) -> None:
    store.add_texts(["text 7"] * 5, ids=[f"copy{i}" for i in range(5)])
    near = store.similarity_search("text 7", k=4)
    varied = store.max_marginal_relevance_search("text 7", k=4, fetch_k=30, lambda_mult=0.1)
    assert len({one.page_content for one in near}) == 1
    assert len({one.page_content for one in varied}) == 4


def test_a_store_is_saved_and_opened(store: KinfoldVectorStore, tmp_path: Path) -> None:
    store.delete(["id3"])
    store.save(tmp_path / "s")
    again = KinfoldVectorStore.open(tmp_path / "s", store.embeddings)
    assert len(again) == 29 and again.get_by_ids(["id3", "id4"]) == store.get_by_ids(["id4"])
    assert again.similarity_search("text 9", k=3) == store.similarity_search("text 9", k=3)
    again.add_texts(["new"], ids=["id4"])
    assert again.get_by_ids(["id4"])[0].page_content == "new"
    store.delete()
    assert len(store) == 0 and store.similarity_search("text 9") == []
    store.save(tmp_path / "s2")
    (tmp_path / "s" / "documents.json").write_bytes(
        (tmp_path / "s2" / "documents.json").read_bytes()
    )
    with pytest.raises(FileFormatError, match="do not fit together"):
        KinfoldVectorStore.open(tmp_path / "s", store.embeddings)


def test_what_is_given_and_got_stays_apart(store: KinfoldVectorStore) -> None:
    metadata = {"a": [1]}
    store.add_texts(["x"], [metadata], ids=["x"])
    store.get_by_ids(["x"])[0].metadata["a"].append(2)
    assert store.get_by_ids(["x"])[0].metadata == {"a": [1]}
    with pytest.raises(ValueError, match="expected 1, one a text, got 1 and 2"):
        store.add_texts(["x"], ids=["a", "b"], metadatas=None)


def test_the_example_runs() -> None:
    import doctest

    import kinfold.integrations.langchain as module

    assert doctest.testmod(module) == (0, 5)
