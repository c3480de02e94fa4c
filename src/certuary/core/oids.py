"""Each object identifier once, as the DER of its whole TLV, with the document that assigns it.

The parsers compare bytes; dotted text is for people and stands in the comment beside each.
"""

from __future__ import annotations

# RFC 5652 (CMS)
ID_DATA = bytes.fromhex("06092a864886f70d010701")  # 1.2.840.113549.1.7.1
ID_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")  # 1.2.840.113549.1.7.2

# RFC 2985 (PKCS #9 attributes)
CHALLENGE_PASSWORD = bytes.fromhex("06092a864886f70d010907")  # 1.2.840.113549.1.9.7
EXTENSION_REQUEST = bytes.fromhex("06092a864886f70d01090e")  # 1.2.840.113549.1.9.14
# What Microsoft's tools send instead of the PKCS #9 one, with the same value.
MICROSOFT_EXTENSION_REQUEST = bytes.fromhex("060a2b06010401823702010e")  # 1.3.6.1.4.1.311.2.1.14

# RFC 6402 section 2.8
CHANGE_SUBJECT_NAME = bytes.fromhex("06082b06010505070724")  # 1.3.6.1.5.5.7.7.36

# RFC 3279, RFC 5480, RFC 8410 (public keys)
RSA_ENCRYPTION = bytes.fromhex("06092a864886f70d010101")  # 1.2.840.113549.1.1.1
EC_PUBLIC_KEY = bytes.fromhex("06072a8648ce3d0201")  # 1.2.840.10045.2.1
ED25519 = bytes.fromhex("06032b6570")  # 1.3.101.112
SECP256R1 = bytes.fromhex("06082a8648ce3d030107")  # 1.2.840.10045.3.1.7
SECP384R1 = bytes.fromhex("06052b81040022")  # 1.3.132.0.34
SECP521R1 = bytes.fromhex("06052b81040023")  # 1.3.132.0.35

# RFC 8017, RFC 5758 (signatures)
RSASSA_PSS = bytes.fromhex("06092a864886f70d01010a")  # 1.2.840.113549.1.1.10
SHA256_WITH_RSA = bytes.fromhex("06092a864886f70d01010b")  # 1.2.840.113549.1.1.11
SHA384_WITH_RSA = bytes.fromhex("06092a864886f70d01010c")  # 1.2.840.113549.1.1.12
SHA512_WITH_RSA = bytes.fromhex("06092a864886f70d01010d")  # 1.2.840.113549.1.1.13
ECDSA_WITH_SHA256 = bytes.fromhex("06082a8648ce3d040302")  # 1.2.840.10045.4.3.2
ECDSA_WITH_SHA384 = bytes.fromhex("06082a8648ce3d040303")  # 1.2.840.10045.4.3.3
ECDSA_WITH_SHA512 = bytes.fromhex("06082a8648ce3d040304")  # 1.2.840.10045.4.3.4

# RFC 5280 (extensions)
SUBJECT_ALTERNATIVE_NAME = bytes.fromhex("0603551d11")  # 2.5.29.17
CRL_NUMBER = bytes.fromhex("0603551d14")  # 2.5.29.20
CRL_REASON = bytes.fromhex("0603551d15")  # 2.5.29.21
AUTHORITY_KEY_IDENTIFIER = bytes.fromhex("0603551d23")  # 2.5.29.35

# X.520 (names)
COMMON_NAME = bytes.fromhex("0603550403")  # 2.5.4.3
COUNTRY_NAME = bytes.fromhex("0603550406")  # 2.5.4.6
JURISDICTION_COUNTRY_NAME = bytes.fromhex("060b2b0601040182373c020103")  # 1.3.6.1.4.1.311.60.2.1.3
