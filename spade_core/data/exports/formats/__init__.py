# SPDX-License-Identifier: Apache-2.0
"""A module a format. Each has a FORMAT, which `registry` finds: a new format is one file here."""
