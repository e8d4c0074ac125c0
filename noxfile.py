"""The tests on every supported Python that is installed; `make test-all` runs it."""

import nox

nox.options.default_venv_backend = "venv"


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
def tests(session: nox.Session) -> None:
    """Install the package as a user would and run the default tests."""
    session.install(".[dev]")
    session.run("python", "-m", "pytest", "-m", "not slow", "-q")
