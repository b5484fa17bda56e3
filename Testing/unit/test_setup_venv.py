"""How .venv is made: what the downloads are trusted for, and when it is made anew."""

import importlib.util
import ssl
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("setup_venv", ROOT / "tools" / "setup_venv.py")
setup_venv = importlib.util.module_from_spec(spec)
spec.loader.exec_module(setup_venv)

PAGE = '<a href="../../files/pip-1.0.tar.gz#sha256=0">a</a> <a data-x="" href="../../files/{}#sha256=1">b</a>'


def test_the_wheel_is_found_on_an_index_page():
    link = setup_venv.link_to("pip-1.0.tar.gz", PAGE, "https://index.example/simple/pip/")
    assert link == "https://index.example/files/pip-1.0.tar.gz"


def test_a_pip_with_another_checksum_is_refused(monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    monkeypatch.setattr(setup_venv, "fetch", lambda url: PAGE.format(setup_venv.PIP_WHEEL).encode())
    with pytest.raises(setup_venv.SetupError, match=r"https://index\.example.*another checksum"):
        setup_venv.download_pip()


def test_a_login_is_neither_sent_nor_shown(monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:secret@index.example/simple")
    with pytest.raises(setup_venv.SetupError, match="python3-venv") as error:
        setup_venv.download_pip()
    assert "secret" not in str(error.value)


def test_without_network_the_error_names_the_packages_that_help(monkeypatch):
    def offline(url):
        raise OSError("name resolution failed")

    monkeypatch.setattr(setup_venv, "fetch", offline)
    with pytest.raises(setup_venv.SetupError, match=r"name resolution.*ca-certificates and python3-venv"):
        setup_venv.download_pip()


@pytest.mark.parametrize("certificates", [True, False])
def test_only_a_machine_without_certificates_relies_on_the_checksum(monkeypatch, certificates):
    monkeypatch.setattr(setup_venv, "has_certificates", lambda: certificates)
    assert (setup_venv.tls_context().verify_mode == ssl.CERT_REQUIRED) is certificates


def test_a_new_dependency_makes_a_new_environment_and_a_lint_setting_does_not():
    project = {"build-system": {}, "project": {"dependencies": ["a"]}, "tool": {"setuptools": {}, "ruff": 1}}
    before = setup_venv.fingerprint(project)
    assert setup_venv.fingerprint(project | {"tool": {"setuptools": {}, "ruff": 2}}) == before
    assert setup_venv.fingerprint(project | {"project": {"dependencies": ["a", "b"]}}) != before
