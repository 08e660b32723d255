# SPDX-License-Identifier: Apache-2.0
"""How long a picture takes: the plain network, engines that are installed, and the compiled generator."""

from spade_core.runtime import share_cores

share_cores()  # before torch is imported, as the server and the command line do
