# SPDX-License-Identifier: GPL-3.0-or-later
"""The style of a picture: what the designer chooses, and what that is to the server."""
