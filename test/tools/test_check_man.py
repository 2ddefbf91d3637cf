# SPDX-License-Identifier: MIT
"""tools/check-man finds each way in which the manual and the program can differ."""

import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

TABLES = "run --memory SIZE\nrun --tty -t\nrun --user self|UID[:GID]\nplan --json\nbox list --json\n"
PAGE = """# COMMANDS
*run*, *plan*, *box list* take *--json*
# OPTIONS
*--memory* _SIZE_
	Text. See *--tty*.

*--tty*, *-t*
	Text.

*--user* _self|UID[:GID]_
	Text.
# FILES
"""


def check(tmp_path, tables, page):
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n[ \"$1 $2\" = 'help --tables' ] || exit 9\nprintf '{tables}'\n")
    program.chmod(0o755)
    (tmp_path / "page").write_text(page)
    return subprocess.run(
        [ROOT / "tools/check-man", program, tmp_path / "page"],
        capture_output=True, text=True, check=False,
    )


def test_agreement(tmp_path):
    result = check(tmp_path, TABLES, PAGE)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "tables, page, fault",
    [
        (TABLES + "run --swap SIZE\n", PAGE, "'--swap' is not in the manual"),
        (TABLES, PAGE.replace("# FILES", "*--old*\n\tText.\n# FILES"), "'--old' is in the manual"),
        (TABLES, PAGE.replace("_SIZE_", "_N_"), "'--memory' is ('SIZE', None)"),
        (TABLES, PAGE.replace(", *-t*", ""), "'--tty' is (None, 't')"),
        (TABLES, PAGE.replace("*--json*", "json"), "'plan --json' is not in the manual"),
        (TABLES + "show --help\n", PAGE, "the command 'show' is not in the manual"),
    ],
)
def test_difference(tmp_path, tables, page, fault):
    result = check(tmp_path, tables, page)
    assert result.returncode == 1
    assert fault in result.stdout


def test_unreadable(tmp_path):
    assert check(tmp_path, "not a table\n", PAGE).returncode == 2
    assert check(tmp_path, TABLES, "no section").returncode == 2


def test_a_page_about_one_command(tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nprintf 'run --memory SIZE\\nserve --socket PATH\\nserve --quiet\\n'\n")
    program.chmod(0o755)
    page = tmp_path / "page"
    words = [ROOT / "tools/check-man", program, page, "serve"]
    good = "*bulkhead serve*\n# OPTIONS\n*--socket* _PATH_\n\tText.\n\n*--quiet*\n\tText.\n"
    for text, status in ((good, 0), (good.replace("PATH", "FILE"), 1), (good.replace("quiet", "loud"), 1)):
        page.write_text(text)
        assert subprocess.run(words, capture_output=True, check=False).returncode == status
    assert subprocess.run([*words[:3], "moon"], capture_output=True, check=False).returncode == 2
