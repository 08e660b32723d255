# SPDX-License-Identifier: Apache-2.0
"""Convolutions on a processor, with all that comes before them, in one pass over memory."""
