# SPDX-License-Identifier: Apache-2.0
"""The demo and the programs that draw the README's pictures; `python -m examples.gallery --help`, for one."""
