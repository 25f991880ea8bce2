"""The command ``infra-mind``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from click.core import ParameterSource
from click.shell_completion import get_completion_class
from rich.console import Console
from rich.text import Text

from infra_mind_client import config, credentials
from infra_mind_client.analyze import Options, analyze_path
from infra_mind_client.api import Client
from infra_mind_client.bars import Bars
from infra_mind_client.comment import put_comment
from infra_mind_client.errors import ApiError, CannotAssessError, UnreachableError
from infra_mind_client.formats import FORMATS
from infra_mind_client.local import local_server
from infra_mind_client.review import SEVERITIES

NOT_ASSESSED, INTERRUPTED = 2, 130
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
ON_COMMAND_LINE = {ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT}
NOT_IN_FILE = {"path", "help", "local", "user", "write-baseline", "output", "format"}
"""Command line only: a file in a repository must not choose files to write, nor a person."""


class CannotError(click.ClickException):
    exit_code = NOT_ASSESSED

    def show(self, file: Any = None) -> None:
        click.echo(f"infra-mind: {self.format_message()}", err=True)


def main() -> None:
    try:
        cli.main(standalone_mode=True)
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


@contextmanager
def in_words() -> Iterator[None]:
    try:
        yield
    except (ApiError, UnreachableError, CannotAssessError) as error:
        raise CannotError(str(error)) from error


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("infra-mind"), prog_name="infra-mind")
def cli() -> None:
    """Assess infrastructure as code on an Infra Mind server."""


def _options_of_file(context: click.Context, parameter: click.Parameter, path: Path) -> Path:
    """``.infra-mind.toml`` provides defaults for the options that follow PATH."""
    known = {each.opts[0].removeprefix("--") for each in context.command.params}
    with in_words():
        found, file = config.read(path, known=known - NOT_IN_FILE)
    context.default_map = found
    context.obj = file
    return path


def connection(command: Any) -> Any:
    """--server and --token, for every command that talks to a server."""
    server = click.option(
        "--server", metavar="URL", envvar="INFRA_MIND_URL", show_envvar=True, help="The server."
    )
    token = click.option(
        "--token",
        envvar="INFRA_MIND_TOKEN",
        show_envvar=True,
        help="An API token. In the environment it stays out of the list of processes.",
    )
    return server(token(command))


@cli.command()
@click.argument(
    "path",
    type=click.Path(exists=True, path_type=Path),
    default=Path(),
    is_eager=True,
    callback=_options_of_file,
)
@connection
@click.option(
    "--local", is_flag=True, help="Use the application installed here, and start it if necessary."
)
@click.option(
    "--user", help="With --local: the owner of the assessment; default: the first superuser."
)
@click.option("--assessment", metavar="NAME", help="Continue this assessment, or create it.")
@click.option("--name", help="The name of a new assessment; default: the name of PATH.")
@click.option(
    "--base",
    metavar="REF|DIR|RUN",
    help="Compare with a git ref (where the branch left it), a folder, or a run's number.",
)
@click.option(
    "--fail-on", type=click.Choice(SEVERITIES), help="Exit with 1 at this severity or above."
)
@click.option("--new-only", is_flag=True, help="With --base: --fail-on counts new findings only.")
@click.option(
    "--max-increase",
    type=float,
    metavar="USD",
    help="With --base: highest increase of the monthly cost.",
)
@click.option("--budget", type=float, metavar="USD", help="Highest monthly cost of everything.")
@click.option(
    "--baseline",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with accepted findings.",
)
@click.option(
    "--write-baseline",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all findings to a baseline file.",
)
@click.option(
    "--ignore-rule", multiple=True, metavar="RULE", help="Accept all findings of this rule."
)
@click.option(
    "--requirements",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The workload's requirements, as JSON.",
)
@click.option("--format", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option(
    "--output",
    multiple=True,
    metavar="FORMAT=FILE",
    help="Write the result to a file too, in another format.",
)
@click.option("--limit", type=click.IntRange(0), default=100, show_default=True, help="0: all.")
@click.pass_context
def analyze(context: click.Context, /, path: Path, **options: Any) -> None:
    """Assess a file, an archive or a folder, and show the work live.

    Exit status: 0 passed; 1 a gate failed; 2 something that should have been read was not, or
    nothing could be assessed. The result goes to standard output, everything else to standard
    error.
    """
    if options["new_only"] and not options["base"]:
        raise click.UsageError("--new-only needs --base: findings are new compared with the base.")
    if options["max_increase"] is not None and not options["base"]:
        raise click.UsageError("--max-increase needs --base.")
    own = {name: options[name] for name in Options.__annotations__ if name in options}
    with in_words(), _client(context, options) as client:
        status = analyze_path(client, Options(path=path, **own), console=Console(stderr=True))
    context.exit(status)


@cli.command()
@click.argument("task")
@connection
@click.pass_context
def watch(context: click.Context, /, task: str, **options: Any) -> None:
    """Follow a task, given its id, until it ends. Exit status: 0 success, 1 failure or
    cancelled."""
    with in_words(), _client(context, options) as client:
        task_id = task.rstrip("/").rsplit("/", 1)[-1]
        with Bars(Console(stderr=True), title="Task") as bars:
            for frame in client.follow(task_id):
                bars.show(frame)
        ended = client.status(task_id)
    click.echo(f"{ended['state']} {ended.get('error') or ended['status']}".strip())
    context.exit(0 if ended["state"] == "SUCCESS" else 1)


@cli.command()
@click.argument("url")
@click.option("--token", help="Default: prompt for it, or read it from standard input.")
def login(url: str, token: str | None) -> None:
    """Store a token for the server at URL, readable only by you. Create one on its page
    /tokens/."""
    url = _checked(url)
    if not token and sys.stdin.isatty():
        token = click.prompt(f"Token (from {url}/tokens/)", hide_input=True)
    token = (token or sys.stdin.readline()).strip()
    if not token:
        raise click.UsageError("There is no token.")
    with in_words():
        with Client(url, token=token, patience_s=10) as client:
            client.get("/assessments/", limit=1)
        kept = credentials.keep(url, token)
    click.echo(f"Signed in to {url}. The token is in {kept}.")


@cli.command()
@click.argument("url", required=False)
def logout(url: str | None) -> None:
    """Delete the token that login stored. The server still accepts it: revoke it on /tokens/."""
    with in_words():
        url = url or credentials.last_server()
        if not url or not credentials.forget(url):
            raise CannotAssessError("No token is stored for it.")
    click.echo(f"Deleted the token for {url} on this machine.")


@cli.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def comment(file: Path) -> None:
    """Post a Markdown result as a comment on this pipeline's pull or merge request, replacing the
    previous run's comment. Needs GITHUB_TOKEN on GitHub, INFRA_MIND_GITLAB_TOKEN on GitLab."""
    with in_words():
        done = put_comment(file.read_text(), os.environ)
    click.echo(f"The comment was {done}.", err=True)


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script: eval "$(infra-mind completion bash)"."""
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(found(cli, {}, "infra-mind", "_INFRA_MIND_COMPLETE").source())


@contextmanager
def _client(context: click.Context, options: dict[str, Any]) -> Iterator[Client]:
    if options.get("local"):
        with (
            local_server(user=options["user"], log=sys.stderr) as (url, token),
            Client(url, token=token) as client,
        ):
            yield client
        return
    url = _checked(options["server"] or credentials.last_server() or "")
    token = _token(context, url, options)
    with Client(url, token=token) as client:
        yield client


def _token(context: click.Context, url: str, options: dict[str, Any]) -> str:
    """The token for ``url``. A token from the command line or the environment is never sent to a
    server that only a file in the repository names: anyone who can change that file could have it
    sent to them."""
    given = options["token"]
    is_named = context.get_parameter_source("server") in ON_COMMAND_LINE
    is_trusted = is_named or url == credentials.last_server()
    own = context.get_parameter_source("token") in ON_COMMAND_LINE
    if given and own and not is_trusted:
        raise CannotAssessError(
            f"{context.obj or config.NAME} names the server {url}, which is not given a token from"
            " outside of the file. Name the server with --server or INFRA_MIND_URL."
        )
    token = given or credentials.token_of(url)
    if not token:
        raise CannotAssessError(
            f"There is no token for {url}: set INFRA_MIND_TOKEN, or sign in once with:"
            f" infra-mind login {url}"
        )
    return str(token)


def _checked(url: str) -> str:
    """The URL without a path. Raises CannotAssessError."""
    if not url:
        raise CannotError(
            "No server is set. Use --server URL, INFRA_MIND_URL, .infra-mind.toml or infra-mind"
            " login, or --local where the application is installed."
        )
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CannotError(f"{url} is not a server's URL. Write it as https://infra.example.")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        words = f"{url} is not encrypted: anyone in between can read the token."
        Console(stderr=True).print(Text(words, style="yellow"))
    return url.rstrip("/")
