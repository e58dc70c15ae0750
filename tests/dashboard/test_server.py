"""The server: who gets an answer, to what, and with which headers."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from nas.core.errors import ConfigError
from nas.dashboard import Dashboard
from nas.dashboard.answers import is_local
from nas.report import read_source
from nas.runs.files import HEARTBEAT, LOG

Serve = Callable[[Path], Dashboard]
NASTY = "<script>window.hacked = true</script>"
ROOT = Path(__file__).resolve().parents[2]


def token_of(served: Dashboard) -> str:
    return served.address.rstrip("/").rpartition("/")[2]


def ask(
    served: Dashboard, path: str = "", method: str = "GET", *, whole: bool = False, **headers: str
) -> http.client.HTTPResponse:
    """Ask for a path below the token, or for the `whole` path; the response with its `text`."""
    with closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)) as connection:
        target = path if whole else f"/{token_of(served)}/{path}"
        connection.putrequest(method, target, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        response = connection.getresponse()
        response.text = response.read().decode()  # type: ignore[attr-defined]
        return response


def listed(served: Dashboard) -> dict[str, Any]:
    return {row["name"]: row for row in json.loads(ask(served, "runs.json").text)["runs"]}


def test_the_page_and_its_data_need_the_token(runs: Path, serve: Serve) -> None:
    served = serve(runs)
    assert served.address.startswith(f"http://127.0.0.1:{served.port}/")
    assert len(token_of(served)) >= 32
    assert ask(served).status == 200
    wrong = token_of(served)[:-1] + ("A" if token_of(served)[-1] != "A" else "B")
    for path in (
        "/",
        "/runs.json",
        f"/{wrong}/",
        f"/{wrong}/runs.json",
        "/favicon.ico",
        "//",
        f"/?token={wrong}",
        "/%F0/",
    ):
        found = ask(served, path, whole=True)
        assert found.status == 403, path
        assert "runs" not in found.text


def test_each_dashboard_has_another_token(runs: Path, serve: Serve) -> None:
    assert token_of(serve(runs)) != token_of(serve(runs))


def test_the_address_without_its_last_slash_leads_to_the_page(runs: Path, serve: Serve) -> None:
    served = serve(runs)
    found = ask(served, f"/{token_of(served)}", whole=True)
    assert (found.status, found.headers["Location"]) == (308, f"/{token_of(served)}/")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_only_reading_is_allowed(runs: Path, serve: Serve, method: str) -> None:
    found = ask(serve(runs), method=method)
    assert (found.status, found.headers["Allow"]) == (405, "GET, HEAD")


def test_head_gives_the_headers_alone(runs: Path, serve: Serve) -> None:
    served = serve(runs)
    found, whole = ask(served, method="HEAD"), ask(served)
    assert (found.status, found.text) == (200, "")
    assert found.headers["Content-Length"] == whole.headers["Content-Length"] == str(len(whole.text.encode()))


def test_a_request_with_a_body_ends_its_connection(runs: Path, serve: Serve) -> None:
    served = serve(runs)
    with closing(socket.create_connection(("127.0.0.1", served.port), timeout=20)) as connection:
        inner = "GET /second HTTP/1.1\r\nHost: localhost\r\n\r\n"
        connection.sendall(
            f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(inner)}\r\n\r\n{inner}".encode()
        )
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.count(b"HTTP/1.1") == 1
    assert b"Connection: close" in answer


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "localhost.evil",
        "127.0.0.1@evil",
        "",
        "0.0.0.0",
    ],
)
def test_another_host_name_is_refused_even_with_the_token(runs: Path, serve: Serve, host: str) -> None:
    assert ask(serve(runs), Host=host).status == 403


def test_the_names_of_this_machine_are_accepted_with_any_port() -> None:
    assert all(map(is_local, ["127.0.0.1", "127.0.0.1:8800", "localhost:9", "LOCALHOST", "[::1]:80"]))


@pytest.mark.parametrize("path", ["", "runs.json", "fronts.json?runs=x", "report/x", "nothing"])
def test_every_answer_has_the_strict_headers(runs: Path, serve: Serve, path: str) -> None:
    headers = ask(serve(runs), path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "'unsafe-inline'" not in policy.replace("style-src 'unsafe-inline'", "")
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "Python" not in headers["Server"]


@pytest.mark.parametrize(
    "path",
    [
        "../", "..%2f..%2fetc/passwd", "report/../../secret", "report/%2e%2e", "report/first", "report/first/report.html",
        "report//etc/passwd", "first/history.sqlite", "report/", "report", "compare", "compare?runs=", "compare?runs=../first",
        "runs.json/..", "page.html", "\\..\\secret",
    ],
)  # fmt: skip
def test_no_path_of_a_request_leads_to_a_file(runs: Path, serve: Serve, path: str) -> None:
    (runs.parent / "secret").write_text("a secret")
    found = ask(serve(runs), path)
    assert found.status == 404
    assert "secret" not in found.text


def test_a_request_that_cannot_be_parsed_is_not_quoted(runs: Path, serve: Serve) -> None:
    served = serve(runs)
    with closing(socket.create_connection(("127.0.0.1", served.port), timeout=20)) as connection:
        connection.sendall(f"GET {NASTY} is wrong HTTP/9.x\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert b" 400 " in answer.splitlines()[0]
    assert b"script>" not in answer
    assert b"Content-Security-Policy" in answer


def test_an_unchanged_list_is_not_sent_again(runs: Path, serve: Serve) -> None:
    served = serve(runs)
    first = ask(served, "runs.json")
    tag = first.headers["ETag"]
    again = ask(served, "runs.json?since=1", If_None_Match=tag)
    assert (again.status, again.text) == (304, "")
    (runs / "first" / "summary.json").unlink()
    served.runs.refresh()
    changed = ask(served, f"runs.json?since={json.loads(first.text)['changes']}", If_None_Match=tag)
    assert changed.status == 200
    assert [row["state"] for row in json.loads(changed.text)["runs"]] == ["stopped"]


def test_fronts_are_those_of_the_named_runs(runs: Path, made: Path, serve: Serve) -> None:
    shutil.copytree(made / "run", runs / "second")
    served = serve(runs)
    name = listed(served)["first"]["id"]
    found = ask(served, f"fronts.json?runs={name},unknown")
    (front,) = json.loads(found.text)["fronts"]
    assert front["id"] == name
    assert len(front["points"]) == listed(served)["first"]["front_size"]
    assert ask(served, f"fronts.json?runs={name}", If_None_Match=found.headers["ETag"]).status == 304


def test_the_report_of_a_run_is_made_in_memory(runs: Path, serve: Serve) -> None:
    served = serve(runs)
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*")}
    found = ask(served, f"report/{listed(served)['first']['id']}")
    assert found.status == 200
    assert f"Search report: {runs / 'first'}" in found.text
    assert '<a href="../">All runs</a>' in found.text
    policy = found.headers["Content-Security-Policy"].partition("; base-uri")[0]
    assert policy in found.text  # the same as in the page
    assert {path: path.stat().st_mtime_ns for path in runs.rglob("*")} == before


def test_the_report_of_a_running_search_shows_it_as_it_is(made: Path, runs: Path, serve: Serve) -> None:
    shutil.copytree(made / "middle", runs / "live")
    values = json.loads((runs / "live" / HEARTBEAT).read_text())
    (runs / "live" / HEARTBEAT).write_text(json.dumps(values | {"host": "elsewhere", "beat": 4e9}))
    before = sorted(path.name for path in (runs / "live").iterdir())
    served = serve(runs)
    found = ask(served, f"report/{listed(served)['live']['id']}")
    assert found.status == 200
    assert "12 of 30 planned" in found.text
    assert sorted(path.name for path in (runs / "live").iterdir()) == before


def test_several_runs_are_compared_on_the_page_of_the_report(runs: Path, made: Path, serve: Serve) -> None:
    shutil.copytree(made / "run", runs / "second")
    served = serve(runs)
    ids = ",".join(row["id"] for row in listed(served).values())
    assert "Comparison of 2 searches" in ask(served, f"compare?runs={ids}").text
    assert ask(served, f"compare?runs={ids},unknown").status == 404


def test_an_unchanged_report_is_made_once(runs: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    read = read_source
    monkeypatch.setattr("nas.report.sources.read_source", lambda *a, **k: made.append(1) or read(*a, **k))
    served = serve(runs)
    path = f"report/{listed(served)['first']['id']}"
    assert ask(served, path).text == ask(served, path).text
    assert len(made) == 1


def test_a_damaged_run_gives_a_message_instead_of_its_report(runs: Path, serve: Serve) -> None:
    (runs / "first" / LOG).write_bytes(b"nonsense" * 1000)
    served = serve(runs)
    found = ask(served, f"report/{listed(served)['first']['id']}")
    assert found.status == 422
    assert found.headers["Content-Type"].startswith("text/plain")
    assert "not a run's history" in found.text
    assert ask(served).status == 200


def test_a_link_in_a_run_is_not_followed_for_its_report(runs: Path, serve: Serve) -> None:
    served = serve(runs)
    path = f"report/{listed(served)['first']['id']}"
    (runs.parent / "elsewhere.csv").write_text("architecture,objective\n")
    (runs / "first" / "repeated.csv").symlink_to(runs.parent / "elsewhere.csv")
    found = ask(served, path)
    assert found.status == 422
    assert "repeated.csv is a symbolic link" in found.text


def test_names_of_folders_reach_the_page_as_json_text(made: Path, tmp_path: Path, serve: Serve) -> None:
    folder = tmp_path / NASTY.replace("/", "_")
    shutil.copytree(made / "run", folder / NASTY.replace("/", "_"))
    served = serve(folder)
    page, data = ask(served).text, ask(served, "runs.json")
    assert page.count("<script") == 2  # the data and the code
    assert "<script" not in data.text
    assert data.headers["Content-Type"].startswith("application/json")
    assert NASTY.replace("/", "_") in listed(served)


def test_the_server_listens_on_loopback_alone(runs: Path, serve: Serve) -> None:
    assert serve(runs)._server.server_address[0] == "127.0.0.1"


def test_a_port_in_use_is_an_error(runs: Path, serve: Serve) -> None:
    port = serve(runs).port
    with pytest.raises(ConfigError, match=f"--port: {port} is in use on 127.0.0.1; choose another"):
        Dashboard(runs, port)


def test_the_command_reports_bad_input(tmp_path: Path, nas_command: Any) -> None:
    done = nas_command("dashboard", str(tmp_path / "nowhere"))
    assert (done.code, "nowhere does not exist; expected a folder of runs" in done.sentence) == (2, True)
    assert nas_command("dashboard", str(tmp_path), "--port", "70000").code == 2


def test_the_command_prints_its_address_and_ends_on_ctrl_c(runs: Path) -> None:
    code = "import sys; from nas.cli import main; sys.argv[0] = 'nas'; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "dashboard", str(runs)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, cwd=ROOT, env={**os.environ, "COLUMNS": "40"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        address, how = process.stdout.readline().strip(), process.stdout.readline()
        _, _, host, token, rest = address.split("/")
        assert (host.split(":")[0], rest) == ("127.0.0.1", "")
        with closing(http.client.HTTPConnection(host, timeout=30)) as connection:
            connection.request("GET", f"/{token}/")
            assert connection.getresponse().status == 200
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert f"ssh -L {host.split(':')[1]}:127.0.0.1:{host.split(':')[1]}" in how
    assert err == ""
