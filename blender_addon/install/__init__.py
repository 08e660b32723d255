# SPDX-License-Identifier: GPL-3.0-or-later
"""The server that the add-on installs: an environment in the user's folder, made in the background."""
