"""Keys, limits, the folder and the decoder, each by itself."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image
from httpservice import PHOTO

from vtmr.errors import ConfigError, InputError
from vtmr.plugins.service.cluster import Cluster
from vtmr.plugins.service.decoding import Decoding
from vtmr.plugins.service.folder import BoundedFolder
from vtmr.plugins.service.gate import Gate
from vtmr.plugins.service.keys import read_keys
from vtmr.plugins.service.limits import Limits, parse_limits
from vtmr.plugins.service.place import OwnFolder
from vtmr.plugins.service.scenes import open_scene, scene_bytes, write_scene
from vtmr.pyramid import Pyramid
from vtmr.segmenter import segmenter_for
from vtmr.serving.answers import Refusal

LONG = "a-key-that-is-long-enough"


class TestKeys:
    def test_a_file_holds_keys_hashes_and_comments(self, tmp_path: Path) -> None:
        hashed = hashlib.sha256(b"another-long-enough-key").hexdigest()
        file = tmp_path / "keys.txt"
        file.write_text(f"# whose\n{LONG}  # the lab's\n\nsha256:{hashed}\n")
        keys = read_keys(str(file), {"VTMR_API_KEYS": "not-looked-at-at-all"})
        assert keys.needed
        assert keys.knows(LONG)
        assert keys.knows("another-long-enough-key")
        for other in (None, "", LONG[:-1], LONG + " ", hashed, "not-looked-at-at-all"):
            assert not keys.knows(other)

    def test_without_a_file_the_environment_counts(self) -> None:
        assert read_keys("", {"VTMR_API_KEYS": f"{LONG},x{LONG}"}).knows(f"x{LONG}")
        assert not read_keys("", {}).needed
        assert not read_keys("none", {"VTMR_API_KEYS": LONG}).needed

    @pytest.mark.parametrize("text", ["short", "sha256:12", "# nothing\n", ""])
    def test_what_is_no_key_is_refused_without_being_shown(self, tmp_path: Path, text: str) -> None:
        file = tmp_path / "keys.txt"
        file.write_text(text)
        with pytest.raises(ConfigError) as refused:
            read_keys(str(file), {})
        assert "short" not in str(refused.value)

    def test_a_file_that_is_no_text_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "keys").write_bytes(b"\xff\xfe")
        for name in ("keys", "none-such", "."):
            with pytest.raises(InputError, match="can't be read"):
                read_keys(str(tmp_path / name), {})


def test_limits_are_changed_by_name() -> None:
    changed = parse_limits(["clicks=3", "images_mb=77"])
    assert (changed.clicks, changed.images_mb) == (3, 77)
    assert changed.in_flight == Limits().in_flight
    for wrong in ("clicks=-1", "clicks=1e3", "clicks=", "klicks=3", "=3", "clicks=10000000"):
        with pytest.raises(ConfigError):
            parse_limits([wrong])


def test_the_page_tells_the_limits_as_they_are() -> None:
    page = (Path(__file__).parents[4] / "docs" / "doors" / "http.md").read_text()
    for name in Limits.__slots__:
        assert f"| `{name}` | {getattr(Limits(), name)} |" in page


def test_the_gate_counts_requests_and_bytes() -> None:
    gate = Gate(2, 100)
    with gate.entered(60):
        with pytest.raises(Refusal) as refused, gate.entered(41):
            pass
        assert (refused.value.status, refused.value.headers) == (503, {"retry-after": "1"})
        with gate.entered(40), pytest.raises(Refusal), gate.entered(0):
            pass
        assert (gate.requests, gate.body_bytes) == (1, 60)
    assert (gate.requests, gate.body_bytes) == (0, 0)


def test_the_folder_drops_what_was_used_longest_ago(tmp_path: Path) -> None:
    """A budget of three files; of the four, `b` is the one that nobody has touched."""
    folder = BoundedFolder(tmp_path / "kept", 30)
    folder.path.mkdir()
    for number, name in enumerate("abcd"):
        part = tmp_path / "part"
        part.write_bytes(b"0123456789")
        folder.keep(part, name)
        os.utime(folder.path / name, ns=(number, number))
        if name == "c":
            assert folder.touched("a") is not None
    assert sorted(path.name for path in folder.path.iterdir()) == ["a", "c", "d"]
    assert (len(folder), folder.nbytes) == (3, 30)
    assert folder.touched("b") is None
    assert folder.drop("a")
    assert not folder.drop("a")


@pytest.mark.parametrize(("height", "width"), [(1, 1), (120, 160), (513, 301), (1025, 777)])
def test_a_scene_comes_back_with_the_halvings_that_a_pyramid_makes(
    tmp_path: Path, height: int, width: int
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    path = tmp_path / "scene"
    with path.open("wb") as stream:
        write_scene(stream, image)
    assert path.stat().st_size == scene_bytes(height, width)
    scene = open_scene(path, segmenter_for(ColourNetwork()))
    np.testing.assert_array_equal(scene.image, image)
    fresh = Pyramid(image)
    for level in range(4):
        np.testing.assert_array_equal(scene.prepared.level(level), fresh.level(level))


def tiff_of(image: Any) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "TIFF")
    return stream.getvalue()


@pytest.mark.slow
class TestDecoding:
    def decode(self, decoding: Decoding, folder: Path, data: bytes) -> bytes:
        (folder / "in").write_bytes(data)

        async def both() -> None:
            height, width = await decoding.measure(folder / "in")
            await decoding.decode(folder / "in", folder / "out", height * width)

        asyncio.run(both())
        return (folder / "out").read_bytes()

    def test_a_lost_decoder_is_begun_anew(self, tmp_path: Path) -> None:
        decoding = Decoding(Limits())
        first = self.decode(decoding, tmp_path, PHOTO)
        process = decoding._small._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with pytest.raises(InputError, match="ended the decoder"):
            self.decode(decoding, tmp_path, PHOTO)
        assert self.decode(decoding, tmp_path, PHOTO) == first
        decoding.close()

    def test_one_that_answers_nothing_is_ended(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A decoder that is stopped uses no time of a core: the clock counts in the end."""
        monkeypatch.setattr("vtmr.plugins.service.decoding._PATIENCE", 1)
        decoding = Decoding(Limits(decode_s=1))
        decoding.start()
        process = decoding._small._process
        assert process is not None
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(InputError, match="longer than 1 s"):
            self.decode(decoding, tmp_path, PHOTO)
        assert process.poll() == -signal.SIGKILL
        decoding.close()

    def test_one_that_computes_for_too_long_is_ended(self, tmp_path: Path) -> None:
        """Its own timer's signal, as if a file had kept it busy."""
        decoding = Decoding(Limits())
        decoding.start()
        process = decoding._small._process
        assert process is not None
        os.kill(process.pid, signal.SIGPROF)
        with pytest.raises(InputError, match="longer than 60 s"):
            self.decode(decoding, tmp_path, PHOTO)
        assert self.decode(decoding, tmp_path, PHOTO)
        decoding.close()

    def test_one_that_takes_too_much_memory_is_refused(self, tmp_path: Path) -> None:
        """25 megapixels need 75 MB at least, beside what the libraries themselves map."""
        limits = Limits()
        decoding = Decoding(limits)
        large = tiff_of(np.zeros((5000, 5000, 3), np.uint8))
        self.decode(decoding, tmp_path, large)
        process = decoding._small._process
        assert process is not None
        mapped = Path(f"/proc/{process.pid}/status").read_text().split("VmSize:")[1].split()[0]
        decoding.close()
        tight = Decoding(Limits(decoder_mb=int(mapped) * 1024 // 1_000_000 + 20))
        self.decode(tight, tmp_path, PHOTO)
        with pytest.raises(InputError, match="more memory"):
            self.decode(tight, tmp_path, large)
        self.decode(tight, tmp_path, tiff_of(shapes_image()))
        tight.close()

    def test_it_ends_with_whoever_started_it(self, tmp_path: Path) -> None:
        """Its stdin ends."""
        decoding = Decoding(Limits())
        decoding.start()
        process = decoding._small._process
        assert process is not None and process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0
        decoding.close()


@pytest.mark.slow
def test_a_job_has_so_many_seconds_of_a_core() -> None:
    code = (
        "from vtmr.plugins.service.decoder import bounded_cpu\n"
        "with bounded_cpu(1): pass\n"
        "with bounded_cpu(1):\n"
        "    while True: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=120)
    assert done.returncode == -signal.SIGPROF


def test_folders_of_processes_that_were_killed_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is held, one is left, one is new, one has no lock, one is of another kind."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    held, left = OwnFolder("test"), OwnFolder("test")
    left._lock.close()  # as the system does for a process that ends
    for name in ("vtmr-test-new", "vtmr-test-bare", "vtmr-other-left"):
        (tmp_path / name).mkdir()
    for name in ("vtmr-test-new", "vtmr-other-left"):
        (tmp_path / name / "lock").touch()
    for folder in tmp_path.iterdir():
        if folder.name != "vtmr-test-new":
            os.utime(folder, (0, 0))
    with OwnFolder("test") as own:
        names = {folder.name for folder in tmp_path.iterdir()}
        assert left.path.name not in names
        kept = {"vtmr-test-new", "vtmr-test-bare", "vtmr-other-left", held.path.name, own.name}
        assert names == kept
    assert not own.exists()
    held.close()
    left._folder.cleanup()


@pytest.mark.slow  # imports Ray Serve
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_an_image_that_another_process_just_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking for its file and opening it: as unknown as any that was let go."""
    cluster = Cluster(None, "lite0", tmp_path, Limits())
    monkeypatch.setattr(BoundedFolder, "touched", lambda self, name: tmp_path / name)
    with pytest.raises(Refusal) as refused:
        asyncio.run(cluster.find("0" * 64))
    assert refused.value.status == 404
