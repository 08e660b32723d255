#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One command for everything: python build.py setup | demo | test | check | addon | stage.

Standard library only, for it runs before anything is installed. This file must also *parse* on any Python 3,
so that an old one can hand over to a supported one or say which those are; the work is in build_steps/.
"""

import os
import sys

SUPPORTED = (
    (3, 11),
    (3, 13),
    (3, 12),
)  # best first: Blender comes as a module for 3.11 and 3.13, not for 3.12


def hand_over_to_a_supported_python():
    """Run the same command under a supported Python, or say plainly that there is none."""
    import glob
    import shutil
    import subprocess

    for version in SUPPORTED:
        name = "python%d.%d" % version
        pyenv = os.path.expanduser("~/.pyenv/versions/%d.%d*/bin/" % version + name)
        for candidate in [shutil.which(name)] + sorted(glob.glob(pyenv)):
            if candidate and subprocess.call([candidate, "-c", ""], stderr=subprocess.DEVNULL) == 0:
                sys.exit(subprocess.call([candidate] + sys.argv))
    sys.stderr.write(
        "error: this is Python %d.%d, and no Python 3.11, 3.12 or 3.13 was found on this machine.\n"
        "  fix: install Python 3.11 (best: it brings Blender 4.5 LTS along) and run "
        "`python3.11 build.py` again.\n" % sys.version_info[:2]
    )
    sys.exit(1)


if __name__ == "__main__":
    if sys.version_info[:2] not in SUPPORTED:
        hand_over_to_a_supported_python()
    from build_steps.commands import main

    sys.exit(main(sys.argv[1:]))
