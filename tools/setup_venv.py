"""Make .venv with everything `make demo` and `make test` need; do nothing when it is up to date.

Standard library only: a bare Debian has python3, but neither pip nor ensurepip.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  (whoever starts this may have an older one)
    sys.exit("error: Python 3.11 or newer is needed; name one: make PYTHON=python3.12 ...")

import hashlib
import html
import http.client
import importlib.util
import json
import os
import re
import ssl
import subprocess
import tempfile
import tomllib
import urllib.parse
import urllib.request
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "installed.sha256"
CONSTRAINTS = ROOT / "constraints.txt"
EXTRAS = "scene,networks,dev"

PIP_WHEEL = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
DEFAULT_INDEX = "https://pypi.org/simple"
REMEDY = "check the network, or install Debian's packages ca-certificates and python3-venv"


class SetupError(Exception):
    """What went wrong and what to do, in one line."""


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = fingerprint(project)
    if STAMP.is_file() and STAMP.read_text() == wanted:
        return
    print(f"Setting up {VENV} (once; some minutes)", file=sys.stderr)
    create_venv()
    install(project["build-system"]["requires"])
    STAMP.write_text(wanted)  # last, so that a set-up that failed half way is never taken for a whole one


def fingerprint(project: dict) -> str:
    """Of all that decides what is in the environment; the settings of ruff and pytest do not."""
    parts = [
        project["build-system"],
        project["project"],
        project["tool"]["setuptools"],
        CONSTRAINTS.read_text(encoding="utf-8"),
        EXTRAS,
        PIP_SHA256,
        sys.version,
        str(ROOT),  # scripts in an environment hold its path: a moved checkout needs a new one
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def create_venv() -> None:
    has_ensurepip = importlib.util.find_spec("ensurepip") is not None
    venv.EnvBuilder(clear=True, symlinks=os.name != "nt", with_pip=has_ensurepip).create(VENV)
    if not has_ensurepip:
        with tempfile.TemporaryDirectory() as folder:
            wheel = Path(folder) / PIP_WHEEL
            wheel.write_bytes(download_pip())
            run(f"{wheel}/pip", "install", "--quiet", "--no-index", "--no-deps", str(wheel))


def install(build_requires: list[str]) -> None:
    # The build's own needs first and no build isolation: so the constraints hold for the build as well.
    pip = ("-m", "pip", "install", "--disable-pip-version-check", "-c", str(CONSTRAINTS))
    run(*pip, "--quiet", *build_requires)
    run(*pip, "--no-build-isolation", "--editable", f".[{EXTRAS}]")


def run(*arguments: str) -> None:
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if subprocess.run([python, *arguments], cwd=ROOT, check=False).returncode != 0:
        raise SetupError(f"pip could not install the project, its own message is above; {REMEDY}")


def download_pip() -> bytes:
    """The pinned pip wheel from the package index, checked against its checksum."""
    index = os.environ.get("PIP_INDEX_URL", DEFAULT_INDEX).rstrip("/") + "/pip/"
    if urllib.parse.urlsplit(index).username is not None:
        raise SetupError("PIP_INDEX_URL holds a login, which only pip can use: install Debian's python3-venv")
    source = f"{PIP_WHEEL} from {index}"
    try:
        page = fetch(index).decode()
        wheel = fetch(link_to(PIP_WHEEL, page, index))
    except (OSError, ValueError, http.client.HTTPException) as problem:  # URLError, SSLError are OSErrors
        raise SetupError(f"cannot fetch {source} ({problem}): {REMEDY}") from None
    if hashlib.sha256(wheel).hexdigest() != PIP_SHA256:
        raise SetupError(f"{source} has another checksum than the published file: do not use that index")
    return wheel


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60, context=tls_context()) as answer:
        return answer.read()


def tls_context() -> ssl.SSLContext:
    """Verifying, except on a machine that has no certificates to verify with.

    There the pinned checksum alone vouches for pip, which brings certificates of its own for the rest.
    """
    context = ssl.create_default_context()
    if not has_certificates():
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def has_certificates() -> bool:
    paths = ssl.get_default_verify_paths()  # None where missing; knows SSL_CERT_FILE and SSL_CERT_DIR
    return os.name == "nt" or bool(paths.cafile or (paths.capath and os.listdir(paths.capath)))


def link_to(name: str, page: str, base: str) -> str:
    """The address of the file `name` on an index page (PEP 503)."""
    for link in re.findall(r"""<a\s[^>]*?href=["']([^"']+)""", page, re.IGNORECASE):
        url, _ = urllib.parse.urldefrag(urllib.parse.urljoin(base, html.unescape(link)))
        if url.rsplit("/", 1)[-1] == name:
            return url
    raise ValueError("the index does not list it")


if __name__ == "__main__":
    try:
        main()
    except (SetupError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
