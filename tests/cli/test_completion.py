"""Shell completion: commands, flags, choices, families and runs."""

import pytest
from typer.testing import CliRunner

from kgen_cli import main


@pytest.mark.parametrize(
    ("words", "offers"),
    [
        ("kgen tr", ["train"]),
        ("kgen train ", ["gan", "ae", "vae", "ddpm"]),
        ("kgen train gan --gan-loss ", ["non_saturating", "minimax", "relativistic"]),
        ("kgen train gan --discriminator-s", ["--discriminator-steps"]),
        ("kgen train vae --preset ", ["quick", "paper", "notes", "gpu"]),
        ("kgen sample ", ["gan", "ae", "vae", "ddpm", "runs/gan-a", "runs/vae-b"]),
        ("kgen sample runs/v", ["runs/vae-b"]),
    ],
)
def test_shell_is_offered_what_fits(make_run, words, offers):
    make_run("gan-a")
    make_run("vae-b", "vae")
    environment = {
        "_KGEN_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    result = CliRunner().invoke(main.app, prog_name="kgen", env=environment)
    assert result.stdout.split() == offers
