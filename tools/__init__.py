# SPDX-License-Identifier: Apache-2.0
"""Programs for maintainers: how the embedded model is made, and what its card keeps of that."""
