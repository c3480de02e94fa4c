"""Certuary: a certificate authority that devices enrol with over EST (RFC 7030)."""

__version__ = "0.1.0"
