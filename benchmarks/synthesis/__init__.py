# SPDX-License-Identifier: Apache-2.0
"""How long a picture takes: the plain network, engines that are installed, and the compiled generator."""
