# SPDX-License-Identifier: Apache-2.0
"""What Prometheus and load balancers are told, by real requests to a real server under load."""

import os
import re
import signal
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from spade_core.contract.errors import SpadeError
from spade_core.contract.request import PictureRequest
from tests.server.running import RunningServer, resident_mib
from tests.server.test_watching import told
from tests.server.trivial import IS_BROKEN, SLOW


def address_of(server: RunningServer) -> str:
    found = re.search(r"Metrics at (http://127\.0\.0\.1:\d+)/metrics", server.console)
    assert found, server.console
    return found[1]


def get(url: str, timeout_s: float = 5) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""


def samples(text: str) -> dict[tuple[str, tuple], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def scraped(tmp_path):
    with RunningServer(tmp_path, "--metrics-port", "0") as server:
        yield server, address_of(server)


def test_jobs_are_counted_and_timed_while_the_server_paints(scraped, landscape, label_map):
    server, address = scraped
    with server.client() as client:
        for seed in (1, 2, 1):
            client.generate(PictureRequest(label_map, landscape, seed=seed))
        for request in (
            PictureRequest(label_map, landscape, seed=IS_BROKEN),
            PictureRequest(label_map, landscape, model="made-up"),
        ):
            with pytest.raises(SpadeError):
                client.generate(request)
        for seed in range(4):
            client.submit(PictureRequest(label_map, landscape, seed=SLOW + 3000 + seed))
        server.wait_for(lambda status: status.running == 1 and status.queued == 3)
        time.sleep(1.5)  # how the server is, is looked at twice a second, as is its device
        code, text = get(f"{address}/metrics")
    assert code == 200
    found = samples(text)

    def jobs(model: str, outcome: str) -> float:
        return found["spade_jobs_total", (("model", model), ("outcome", outcome), ("user", "local"))]

    assert jobs("landscape", "FINISHED") == 3 and jobs("landscape", "INTERNAL") == 1
    assert jobs("", "UNKNOWN_MODEL") == 1  # a name that a client made up is no label
    of = (("model", "landscape"),)
    assert found["spade_job_paint_seconds_count", of] == found["spade_job_wait_seconds_count", of] == 2
    assert found["spade_cache_hits_total", ()] == 1
    assert found["spade_picture_bytes_total", ()] == 3 * 64 * 96 * 3
    assert found["spade_jobs_running", ()] == 1 and found["spade_jobs_waiting", ()] == 3
    assert found["spade_server_state", (("spade_server_state", "ready"),)] == 1
    assert found["spade_workers", (("state", "painting"),)] == 1
    worker = (("device", "cpu"), ("worker", "0"))
    assert (
        0 < found["spade_device_memory_used_bytes", worker] < found["spade_device_memory_total_bytes", worker]
    )
    assert found["process_resident_memory_bytes", ()] > 1e6


def test_names_and_units_are_by_the_conventions(scraped):
    _, address = scraped
    for family in text_string_to_metric_families(get(f"{address}/metrics")[1]):
        assert family.documentation, family.name
        if family.name.startswith("spade_"):
            assert re.fullmatch(r"spade_[a-z_]+", family.name)
            assert not re.search(r"_(ms|milliseconds|mb|megabytes|percent)$", family.name)


def test_health_says_ready_only_while_it_is_and_live_only_while_the_broker_turns(
    tmp_path, landscape, label_map
):
    with RunningServer(tmp_path, "--metrics-port", "0") as server, server.client() as client:
        address = address_of(server)
        assert get(f"{address}/v2/health/live")[0] == get(f"{address}/v2/health/ready")[0] == 200
        assert get(f"{address}/v2/health/other")[0] == 404
        client.submit(PictureRequest(label_map, landscape, seed=SLOW + 20_000))
        server.wait_for(lambda status: status.running == 1)
        assert told("drain", "--server", str(server.file)).returncode == 0
        time.sleep(1)
        assert get(f"{address}/v2/health/live")[0] == 200 and get(f"{address}/v2/health/ready")[0] == 503


def test_nobody_listens_for_http_unless_asked_and_never_beyond_this_machine(tmp_path, scraped):
    server, address = scraped
    port = int(address.rpartition(":")[2])
    sockets = Path("/proc/net/tcp").read_text().splitlines()[1:]
    listening = [line.split()[1] for line in sockets if line.split()[3] == "0A"]
    assert f"0100007F:{port:04X}" in listening and f"00000000:{port:04X}" not in listening
    with RunningServer(tmp_path / "other") as other:
        assert "Metrics at" not in other.console


def test_a_port_that_is_taken_is_said_in_one_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        asked = told(
            "--config", os.devnull, "--connection-file", str(tmp_path / "s"), "--metrics-port", str(port)
        )
    assert asked.returncode == 2 and f"Port {port}" in asked.stderr and "--metrics-port" in asked.stderr
    assert "Traceback" not in asked.stderr


def test_a_hundred_connections_that_say_nothing_hold_up_neither_jobs_nor_the_next_scrape(
    scraped, landscape, label_map
):
    server, address = scraped
    port = int(address.rpartition(":")[2])
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
    try:
        with server.client() as client:
            began = time.monotonic()
            client.generate(PictureRequest(label_map, landscape, seed=3))
            assert time.monotonic() - began < 2
        descriptors = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        assert descriptors < 100 and resident_mib(server.process.pid) < 200
        time.sleep(5.5)  # each of the few that were let in has had its time
        assert get(f"{address}/v2/health/live")[0] == 200
    finally:
        for connection in silent:
            connection.close()
    assert server.process.poll() is None and "Traceback" not in server.console


def test_a_stopped_broker_answers_again_when_it_goes_on(scraped):
    server, address = scraped
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(0.5)
    server.process.send_signal(signal.SIGCONT)
    assert get(f"{address}/v2/health/live")[0] == 200
