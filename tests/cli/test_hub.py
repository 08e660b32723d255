# SPDX-License-Identifier: Apache-2.0
"""Models go out as a Hugging Face repository, come back when they are fetched, and are then found without a network."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from spade_core.checkpoint.file import file_digest, load_checkpoint
from spade_core.checkpoint.sources import model_source
from spade_core.cli import main
from tests.cli.conftest import Ended

pytest.importorskip("huggingface_hub")

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hugging Face cache, and no way to the hub; for this process, too, which has read its environment."""
    from huggingface_hub import constants

    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    reach(monkeypatch, "http://127.0.0.1:9")
    return tmp_path / "hf" / "hub"


def reach(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    from huggingface_hub import constants

    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    )


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> Callable[..., Ended]:
    """`spade WORDS` in this process: loading torch anew for each would take most of the time."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Ended:
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return run


@pytest.fixture
def cached(cache: Path, tiny_model: Path) -> str:
    """A model in the cache, as the hub's own library lays it there; its name."""
    repository = cache / "models--studio--valley"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    (repository / "snapshots" / COMMIT).mkdir(parents=True)
    (repository / "snapshots" / COMMIT / "model.safetensors").write_bytes(tiny_model.read_bytes())
    return "studio/valley"


def test_a_model_becomes_a_repository_with_card_configuration_and_weights(
    here, tiny_model: Path, tmp_path: Path
):
    ended = here("checkpoint", "export-hub", tiny_model, "-o", "out", "--repo", "studio/valley")
    assert ended.code == 0, ended.err
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {
        "README.md", "config.json", "label_set.toml", "model.safetensors",
    }  # fmt: skip
    assert file_digest(out / "model.safetensors") == file_digest(tiny_model)
    config = json.loads((out / "config.json").read_text())
    assert config["sha256"] == file_digest(tiny_model)
    assert config["label_set"]["classes"]["0"] == "sky" and config["generator"]["kind"] == "spade"
    empty, head, body = (out / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    told = yaml.safe_load(head)
    assert not empty and told["library_name"] == "spade-backdrops" and told["license"] == "other"
    assert "--model studio/valley" in body and "| 3 | mountain |" in body
    assert "none: untrained" in body, "where its data come from"


def test_a_named_licence_stands_in_the_head(here, tiny_model: Path, tmp_path: Path):
    assert here("checkpoint", "export-hub", tiny_model, "-o", "out", "--license", "cc-by-4.0").code == 0
    assert "\nlicense: cc-by-4.0\n" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_a_model_in_the_cache_paints_under_its_own_name(spade, cached: str, labels: Path, tiny_model: Path):
    ended = spade("generate", labels, "-o", "picture.png", "--model", cached)
    assert ended.code == 0 and "model studio/valley" in ended.out, ended.err
    ended = spade("checkpoint", "info", cached)
    assert ended.code == 0 and file_digest(tiny_model) in ended.out


def test_a_server_serves_it_by_its_name_and_a_folder_of_that_name_comes_first(
    cached: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    served = model_source(cached)
    assert served.name == "valley" and load_checkpoint(Path(served.path)) and not served.is_run
    (tmp_path / "studio" / "valley").mkdir(parents=True)
    assert model_source(cached).is_run


def test_what_is_not_in_the_cache_is_not_fetched_unasked(here, cache: Path, labels: Path):
    ended = here("generate", labels, "-o", "picture.png", "--model", "studio/other")
    assert ended.is_a_plain_refusal and "checkpoint download studio/other" in ended.err
    assert not cache.exists()


class Hub(http.server.BaseHTTPRequestHandler):
    """A repository with a card, a checkpoint and a pickle, answered for as the hub does."""

    files: dict[str, bytes] = {}
    asked: set[str] = set()

    def answer(self, with_body: bool) -> None:
        name = self.path.rpartition("/resolve/main/")[2].partition("?")[0].rpartition("/")[2]
        content = self.files.get(name) if "studio/valley" in self.path else None
        if "/resolve/" in self.path:
            self.asked.add(name)
        if content is None:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def do_HEAD(self) -> None:
        self.answer(False)

    def do_GET(self) -> None:
        self.answer(True)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hub(cache: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    Hub.files = {
        "model.safetensors": tiny_model.read_bytes(), "config.json": b"{}", "training.pkl": b"\x80\x02.",
    }  # fmt: skip
    Hub.asked = set()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    reach(monkeypatch, f"http://127.0.0.1:{server.server_address[1]}")
    yield Hub
    server.shutdown()
    server.server_close()


def test_asked_for_by_its_word_a_model_is_fetched_and_only_the_model(spade, hub: type[Hub], labels: Path):
    ended = spade("checkpoint", "download", "studio/valley")
    assert ended.code == 0 and "--model studio/valley" in ended.out, ended.err
    assert hub.asked == {"model.safetensors", "config.json"}
    hub.asked.clear()
    assert spade("generate", labels, "-o", "picture.png", "--model", "studio/valley").code == 0
    assert not hub.asked, "painting asks nobody"


def test_a_repository_without_a_model_is_refused_plainly(here, hub: type[Hub]):
    del hub.files["model.safetensors"]
    ended = here("checkpoint", "download", "studio/valley")
    assert ended.is_a_plain_refusal and "model.safetensors of 'studio/valley'" in ended.err


def test_a_file_that_is_no_model_of_ours_is_said_to_be_none(here, hub: type[Hub]):
    hub.files["model.safetensors"] = b"\x02\x00\x00\x00\x00\x00\x00\x00{}"
    assert "not a Spade Backdrops checkpoint" in here("checkpoint", "download", "studio/valley").err


@pytest.mark.parametrize("word", ["valley", "a/b/c", "https://huggingface.co/a/b"])
def test_what_is_no_name_on_the_hub_is_refused(here, word: str):
    ended = here("checkpoint", "download", word)
    assert ended.is_a_plain_refusal and "ORG/NAME" in ended.err
