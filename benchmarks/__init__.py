# SPDX-License-Identifier: Apache-2.0
"""One program for each number: `python -m benchmarks.label_pass`, for one."""
