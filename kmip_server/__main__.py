"""The two commands. They parse and print; what they do is elsewhere, and loaded only when it is needed."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import click

from kmip_server import __version__
from kmip_server.errors import KmipError, SettingsError, told

SETTINGS_FAULT = 2


class Commands(click.Group):
    """Turns what is wrong into one sentence and an exit code: 1 failed, 2 usage or settings."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except SettingsError as error:
            _complain(str(error), SETTINGS_FAULT)
        except KmipError as error:
            _complain(error.message, 1)
        except BrokenPipeError:
            raise  # whoever reads has seen enough: click ends quietly
        except OSError as error:
            _complain(told(error), 1)
        except KeyboardInterrupt:
            _complain("interrupted", 1)
        return None


def _complain(message: str, code: int) -> None:
    click.echo(f"error: {message}", err=True)
    sys.exit(code)


_CONFIG = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The settings file, DIR/kmip-server.toml.",
)
_SET = click.option("--set", "overrides", multiple=True, metavar="SECTION.KEY=VALUE", help="Override a setting.")


@click.group(cls=Commands, help="A KMIP key server.")
@click.version_option(__version__, prog_name="kmip-server")
def server_commands() -> None:
    pass


@server_commands.command("init", help="Make a new instance in DIR, asking nothing.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_SET
@click.option("--pkcs11-module", "module", default="", metavar="PATH", help="The PKCS#11 module of another HSM.")
@click.option("--token-label", default="", metavar="LABEL", help="The token in that HSM.")
@click.option("--pin-file", default="", metavar="FILE", help="A file with the token's user PIN, mode 0600.")
@click.option(
    "--keystore",
    type=click.Choice(["pkcs11", "software"]),
    default="pkcs11",
    show_default=True,
    help="software: no HSM; keys are protected by a passphrase file.",
)
@click.option(
    "--join", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Share another instance's store."
)
def init(
    folder: Path,
    overrides: tuple[str, ...],
    module: str,
    token_label: str,
    pin_file: str,
    keystore: str,
    join: Path | None,
) -> None:
    from kmip_server.instance import NewInstance, create_instance

    settings = create_instance(
        NewInstance(
            folder=folder,
            overrides=overrides,
            keystore=keystore,
            module=module,
            token_label=token_label,
            pin_file=pin_file,
            join=join,
        )
    )
    click.echo(f"made {settings}")
    click.echo(f"serve it with: kmip-server run --config {settings}")


@server_commands.command("run", help="Serve until stopped. Prints one line when ready.")
@_CONFIG
@click.option("--host", help="Address to listen on, for KMIP and administration.")
@click.option("--port", type=int, help="KMIP port; 0 takes a free one.")
@click.option("--https-port", type=int, help="Not available in this version.")
@click.option("--admin-port", type=int, help="Administration port; 0 takes a free one.")
@_SET
def run(
    config: Path,
    host: str | None,
    port: int | None,
    https_port: int | None,
    admin_port: int | None,
    overrides: tuple[str, ...],
) -> None:
    gc.disable()  # What is made at start lives for ever; serve.py switches the collector on.
    from kmip_server.config.load import load

    given = [*overrides]
    if host is not None:
        given += [f'kmip.host="{host}"', f'admin.host="{host}"']
    if port is not None:
        given.append(f"kmip.port={port}")
    if https_port is not None:
        given += ["https.enabled=true", f"https.port={https_port}"]
    if admin_port is not None:
        given.append(f"admin.port={admin_port}")
    settings = load(config, given)
    from kmip_server import app

    sys.exit(app.run(settings, lambda: load(config, given)))


@server_commands.command("check", help="Say what is wrong with an instance, and how to mend it.")
@_CONFIG
@_SET
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def check(config: Path, overrides: tuple[str, ...], as_json: bool) -> None:
    from kmip_server.check import Severity, examine
    from kmip_server.check import print_findings as show

    findings = examine(config, overrides)
    show(findings, as_json=as_json)
    faults = [finding.subject for finding in findings if finding.severity is Severity.ERROR]
    sys.exit(SETTINGS_FAULT if "settings" in faults else 1 if faults else 0)


def server() -> None:
    """kmip-server."""
    server_commands(prog_name="kmip-server")


def admin() -> None:
    """kmip-admin."""
    from kmip_server.admin.cli import commands

    commands.admin_commands(prog_name="kmip-admin")


if __name__ == "__main__":
    server()
