"""`tracer completion`: what makes a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import ShellComplete, get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print a script with which a shell completes commands and options.

    \b
    eval "$(tracer completion bash)"                                    in ~/.bashrc
    eval "$(tracer completion zsh)"                                     in ~/.zshrc
    tracer completion fish > ~/.config/fish/completions/tracer.fish     once
    """
    from tracer.cli import main

    kind = get_completion_class(shell)
    assert kind is not None
    # The bash class would start bash to look at its version; bash before 4.4 is ten years old.
    click.echo(ShellComplete.source(kind(main, {}, "tracer", "_TRACER_COMPLETE")))
