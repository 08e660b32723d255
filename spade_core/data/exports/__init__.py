# SPDX-License-Identifier: Apache-2.0
"""Other programs' exports, read into this program's own layout."""
