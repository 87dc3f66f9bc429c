#!/usr/bin/env bash
# Builds the wheel, installs it in an empty environment, starts it, sends one event, fetches one page.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
server=
finish() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap finish EXIT

python=${PYTHON:-python3}
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip wheel -q --disable-pip-version-check --no-deps -w "$work/dist" "$root"
wheel=$(ls "$work"/dist/tracer_server-*.whl)
"$work/venv/bin/python" -m pip install -q --disable-pip-version-check "$wheel"

cd "$work" # away from the checkout: templates and static files must come from the wheel
port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
tracer=$work/venv/bin/tracer
export TRACER_DATA=$work/data TRACER_PORT=$port
setup=$(printf 'correct horse battery' | "$tracer" setup --email owner@example.com --password-stdin \
    --org acme --project shop --json)
token=$("$tracer" token create --email owner@example.com --scope event:read --scope project:read --json |
    "$python" -c 'import json, sys; print(json.load(sys.stdin)["token"])')
"$tracer" serve >"$work/log" 2>&1 &
server=$!

SETUP=$setup TOKEN=$token PORT=$port "$python" - <<'PY'
import json, os, sys, time, urllib.error, urllib.request

base, setup = f"http://127.0.0.1:{os.environ['PORT']}", json.loads(os.environ["SETUP"])
key = setup["dsn"].split("//")[1].split("@")[0]


def fetch(path, body=None, headers={}):
    request = urllib.request.Request(base + path, data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, answer.read()


def until(what, seconds=20):
    deadline = time.monotonic() + seconds
    while True:
        try:
            if result := what():
                return result
        except (urllib.error.URLError, ConnectionError):
            pass
        if time.monotonic() > deadline:
            sys.exit(f"gave up waiting for {what.__name__}")
        time.sleep(0.1)


def up():
    return fetch("/up")[0] == 200


def issue():
    path = f"/api/0/projects/{setup['organization']}/{setup['project']}/issues/"
    return json.loads(fetch(path, headers={"Authorization": f"Bearer {os.environ['TOKEN']}"})[1])


until(up)
event = json.dumps({"message": "the wheel works", "level": "error"}).encode()
status, _ = fetch(f"/api/{setup['project_id']}/store/?sentry_key={key}", event)
assert status == 200, status
assert until(issue)[0]["title"] == "the wheel works"
status, page = fetch("/login")
assert status == 200 and b"</html>" in page, page[:200]
stylesheet = page.split(b'rel="stylesheet" href="')[1].split(b'"')[0].decode()
assert fetch(stylesheet)[0] == 200
print("wheel: built, installed, started; one event became an issue; one page with its stylesheet")
PY
