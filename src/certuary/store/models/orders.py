"""Certificate orders: from the portal, which makes key and request, to the workers, which hold the issuing keys."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from certuary.store.protection import Protection, free


class CertificateOrder(models.Model):
    protection: ClassVar = Protection(
        marked="id application_id profile_version_id csr_der request_id address ordered_at expires_at seal",
        how="the signature of the user who ordered, counter-signed as a seal is; a worker verifies both",
        free={
            "claimed_at": "spares two workers the same work; an order is decided once, whoever works at it"
        },
    )

    id = models.CharField(max_length=32, primary_key=True)
    application_id = models.BigIntegerField()
    profile_version_id = models.BigIntegerField()
    csr_der = models.BinaryField()
    request_id = models.CharField(max_length=32)
    address = models.CharField(max_length=45)
    ordered_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    seal = models.TextField()
    claimed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "certificate_orders"


class CertificateOrderOutcome(models.Model):
    protection: ClassVar = free(
        "says where to look: who waits takes a certificate only for the key made here, and by its mark",
        "order_id at authority_id serial reason detail",
    )

    # No reference to the order: an outcome may be there before somebody puts a row back.
    order_id = models.CharField(max_length=32, primary_key=True)
    at = models.DateTimeField()
    authority_id = models.BigIntegerField(null=True)
    serial = models.CharField(max_length=40, null=True)
    reason = models.CharField(max_length=64)
    detail = models.TextField()

    class Meta:
        db_table = "certificate_order_outcomes"
