# SPDX-License-Identifier: Apache-2.0
"""Several operations of a network in one pass over memory, on a CPU with a C compiler at hand."""
