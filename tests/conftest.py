# SPDX-License-Identifier: Apache-2.0
import atexit
import os
import shutil
import tempfile

# Before anything starts a server: tests have keys of their own, and leave the user's alone.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="spade-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_STATE_HOME"], ignore_errors=True)
