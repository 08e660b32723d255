# SPDX-License-Identifier: Apache-2.0
"""A worker that needs this never starts."""

raise SystemExit(7)
