from __future__ import annotations

import gzip
import http.client
import json
import shutil
import socket
from pathlib import Path

import pytest

from jax_ir_pairs.browse.rows import FolderRows
from jax_ir_pairs.browse.server import Server, open_server
from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.inspect.parquet_files import find_config
from tests.browse.conftest import HOSTILE, SAMPLE, served

Answer = tuple[http.client.HTTPResponse, bytes]


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def test_it_listens_on_loopback_only(sample_server: Server) -> None:
    assert sample_server.socket.getsockname()[0] == "127.0.0.1"
    assert sample_server.url == f"http://127.0.0.1:{sample_server.server_port}/"


def test_the_page_has_a_policy_that_lets_nothing_else_run(sample_server: Server) -> None:
    answer, content = ask(sample_server, "/?anything")
    assert answer.status == 200
    policy = dict(
        part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert "unsafe" not in str(policy)
    assert "http" not in str(policy)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert b"<!doctype html>" in content


def test_index_and_rows(sample_server: Server, sample: FolderRows) -> None:
    index = json.loads(ask(sample_server, "/index.json")[1])
    assert (index["title"], len(index["id"])) == ("sample", 100)
    answer, content = ask(sample_server, "/rows/33.json", Accept_Encoding="gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    row = json.loads(gzip.decompress(content))
    assert row == sample.row(33)
    assert row["id"] == index["id"][33]


@pytest.mark.parametrize(
    "path",
    [
        "/rows/100.json",
        "/rows/-1.json",
        "/rows/01.json",
        "/rows/1",
        "/rows/9999999999999.json",
        "/rows/../sample.yaml",
        "/../../etc/passwd",
        "/%2e%2e/sample.yaml",
        "//etc/passwd",
        "/sample.yaml",
        "/train-00000-of-00001.parquet",
    ],
)
def test_nothing_else_is_there(sample_server: Server, path: str) -> None:
    answer, content = ask(sample_server, path)
    assert answer.status == 404
    assert content == b"There is nothing here."


def test_another_name_gets_nothing(sample_server: Server) -> None:
    port = sample_server.server_port
    for host in ("example.com", f"example.com:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}", ""):
        answer, content = ask(sample_server, "/index.json", Host=host)
        assert answer.status == 403, host
        assert content == b"This server answers to its own address only."
    assert ask(sample_server, "/index.json", Host=f"localhost:{port}")[0].status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_reading_is_all_one_can_do(sample_server: Server, method: str) -> None:
    answer, _ = ask(sample_server, "/", method, Content_Length="0")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_head_has_no_content(sample_server: Server) -> None:
    answer, content = ask(sample_server, "/rows/0.json", "HEAD")
    assert (answer.status, content) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 1000


def test_a_port_that_is_taken(sample: FolderRows) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"--port {port}: .*; give another, or 0 for any"):
            open_server(sample, port)


def test_the_page_itself_has_nothing_of_a_row(special_server: Server) -> None:
    assert HOSTILE.encode() not in ask(special_server, "/")[1]


def test_a_shard_that_broke_since_is_said(tmp_path: Path) -> None:
    shard = tmp_path / "sample" / "train-00000-of-00001.parquet"
    shard.parent.mkdir()
    shutil.copy(SAMPLE / shard.name, shard)
    for server in served(FolderRows(find_config(shard.parent))):
        shard.write_bytes(b"PAR1")
        answer, content = ask(server, "/rows/0.json")
        assert answer.status == 500
        assert b"cannot be read" in content
