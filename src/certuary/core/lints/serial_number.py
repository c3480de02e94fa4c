"""RFC 5280 section 4.1.2.2: a serial number is positive and at most 20 octets long.

The octets are those of a signed integer, so the first bit of 20 stays clear. Shorter than 64 bits it could be
guessed, which is how forged certificates were made while MD5 was in use.
"""

from __future__ import annotations

from certuary.core.certificate import CertificatePlan
from certuary.core.lints.finding import ByType

RULE = "serial-number"
CLAUSE = "RFC 5280 section 4.1.2.2"


def check(plan: CertificatePlan, extensions: ByType) -> str:
    if plan.serial <= 0 or not 64 <= plan.serial.bit_length() <= 159:
        return "the serial number is not a positive number of 64 to 159 bits"
    return ""
