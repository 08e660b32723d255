# SPDX-License-Identifier: Apache-2.0
"""Which release this is, and which wire protocol it speaks."""

VERSION = "0.1.0"

# The magic names the major protocol version and is frame 0 of every message. Minor versions only add header
# fields, and unknown fields are ignored, so peers of different minors understand each other.
PROTOCOL_MAGIC = b"SPB1"
PROTOCOL_MINOR = 10
