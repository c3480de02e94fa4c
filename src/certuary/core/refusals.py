"""What each refusal of a request means and what to do next, by its rule: for the portal and for docs/errors.md.

`means` is the sentence of the documentation, which a test compares; `next_step` is for whoever runs the client or
administers it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Explanation:
    means: str
    next_step: str


_UNKNOWN: Final = Explanation(
    "a rule that this release does not know by that name",
    "Look at the audit event under the request's id.",
)


def explain(rule: str) -> Explanation:
    return EXPLANATIONS.get(rule, _UNKNOWN)


EXPLANATIONS: Final[Mapping[str, Explanation]] = {
    "bad-request": Explanation(
        "something in the request is wrong in a way that has no name of its own",
        "Look at the request that the client sent; if it looks right, report it with the request's id.",
    ),
    "malformed-request": Explanation(
        "the HTTP request, its Authorization header or the PROXY header cannot be read",
        "Mend the client's HTTP: one Authorization header, in the form Basic and base64.",
    ),
    "malformed-body": Explanation(
        "the body is empty, or neither base64, nor PEM, nor DER",
        "Send the base64 of a PKCS#10 request in DER, its PEM, or the DER itself, and nothing around it.",
    ),
    "malformed-csr": Explanation(
        "not a PKCS#10 request, or one with parts that contradict each other",
        "Make the request with OpenSSL or another known tool and compare the two.",
    ),
    "not-der": Explanation(
        "the octets are not DER",
        "Encode the request in DER; what was sent is cut off or encoded otherwise.",
    ),
    "trailing-bytes": Explanation(
        "octets follow the request",
        "Send the request alone: cut what follows it.",
    ),
    "duplicate-attribute": Explanation(
        "an attribute occurs twice",
        "Give each attribute once; put all extensions into one extensionRequest.",
    ),
    "duplicate-extension": Explanation(
        "an extension is asked for twice",
        "Ask for each extension once.",
    ),
    "name-length": Explanation(
        "a country is not two letters, or a common name not 1 to 64 octets",
        "Shorten the common name to 64 octets; write the country as two letters, such as DE.",
    ),
    "too-many-names": Explanation(
        "more alternative names than any profile allows",
        "Ask for fewer alternative names, or for several certificates.",
    ),
    "unsupported-name": Explanation(
        "an alternative name of a kind that X.509 libraries do not know",
        "Use DNS names, IP addresses, email addresses or URIs.",
    ),
    "change-subject-name": Explanation(
        "ChangeSubjectName in a simpleenroll: it belongs to simplereenroll",
        "Send it to simplereenroll, or leave ChangeSubjectName out.",
    ),
    "signature-algorithm": Explanation(
        "the request is signed with SHA-1, MD5 or something else than its own key's algorithm",
        "Sign the request with SHA-256 or better, and with the key that is in it.",
    ),
    "proof-of-possession": Explanation(
        "the request's signature is not by the key in it",
        "Make the request anew with the private key whose public half is in it.",
    ),
    "linking-failed": Explanation(
        "challengePassword is not this connection's tls-unique value, or the connection has none",
        "Connect with TLS 1.2 and use this connection's tls-unique, or leave challengePassword out.",
    ),
    "key-refused": Explanation(
        "the key breaks a rule of keys",
        "Make a new key of an accepted kind, P-256 for instance.",
    ),
    "not-authenticated": Explanation(
        "no valid credential, or two that belong to different applications."
        " All reasons look alike from outside: unknown user, wrong password,"
        " wrong network, disabled, expired, revoked. The audit event has the reason",
        "Compare the username, the password and the address with the application; is it enabled and not expired?",
    ),
    "refused": Explanation(
        "a refusal that has no name of its own",
        "Look at the audit event under the request's id.",
    ),
    "not-permitted": Explanation(
        "the user's role or group, or the application's grants, do not cover it",
        "Look at what the application may use, and grant it there if it should.",
    ),
    "group-not-granted": Explanation(
        "the application's group is not the one that the unlabelled endpoint serves",
        "Have the client use a label, or move the application into the group that the property"
        " est.ca.server.group.id names.",
    ),
    "profile-not-granted": Explanation(
        "the application may not use this profile",
        "Add the profile to the application, or have the client use a label whose profile it may use.",
    ),
    "label-not-granted": Explanation(
        "the application may not use this label",
        "Add the label to the application, or have the client use one that it may use.",
    ),
    "label-needed": Explanation(
        "the application may use its labels only, and the request came without one",
        "Add the label to the client's URL, before the operation's name.",
    ),
    "subject-refused": Explanation(
        "the application's subject rule, or its client certificate, does not cover a name",
        "Ask for names that the application's subject rule allows, or widen the rule.",
    ),
    "subject-changed": Explanation(
        "re-enrolment with other names than those of the certificate being renewed",
        "Send the names of the certificate that is renewed; for other names use simpleenroll.",
    ),
    "nothing-to-renew": Explanation(
        "the application holds no valid certificate of exactly these names, or its record was altered",
        "Use simpleenroll for the first certificate of these names; compare the names letter by letter.",
    ),
    "certificate-revoked": Explanation(
        "the certificate to be renewed is revoked",
        "Enrol anew with the password; a revoked certificate is not renewed.",
    ),
    "key-reused": Explanation(
        "the profile wants a new key",
        "Have the client make a new key for each certificate, or set key_reuse in the profile.",
    ),
    "order-refused": Explanation(
        "an order for a client certificate that no user signed so, or whose application or signer may not have it now",
        "Order it anew in the portal; if the text says that something was altered, look at the audit log first.",
    ),
    "order-expired": Explanation(
        "an order for a client certificate that no worker saw within a minute",
        "See whether EST workers run, then order it anew.",
    ),
    "profile-changed": Explanation(
        "the profile of an order was changed after it was signed, or cannot be used",
        "Order it anew: the page shows the profile as it is now.",
    ),
    "profile-not-for-clients": Explanation(
        "a client certificate under a profile without clientAuth or digitalSignature",
        "Choose a profile for clients, or add clientAuth to this one.",
    ),
    "profile-refused": Explanation(
        "the profile does not allow what is asked for",
        "Compare the request with the profile, and change one of them.",
    ),
    "subject-attribute": Explanation(
        "a subject field that the profile does not take",
        "Leave the field out of the request, or add it to the profile's subject.optional.",
    ),
    "subject-attribute-missing": Explanation(
        "a subject field that the profile requires",
        "Add the field to the request, or take it out of the profile's subject.required.",
    ),
    "subject-fixed": Explanation(
        "a subject field with another value than the profile's own",
        "Leave the field out of the request: the profile writes it itself.",
    ),
    "subject-value": Explanation(
        "a value too long, empty, or with characters that such a field cannot hold",
        "Shorten the value or write it with other characters.",
    ),
    "subject-size": Explanation(
        "too many fields or characters",
        "Ask for fewer or shorter subject fields.",
    ),
    "common-name-not-listed": Explanation(
        "the CN is not among the alternative names, where the profile wants that",
        "Repeat the common name among the DNS names or addresses of the request.",
    ),
    "names-missing": Explanation(
        "neither a subject nor an alternative name",
        "Put a subject or an alternative name into the request.",
    ),
    "alternative-name-kind": Explanation(
        "a kind of name that the profile does not take",
        "Leave names of this kind out, or add the kind to the profile's alternative_names.allow.",
    ),
    "alternative-name-missing": Explanation(
        "a kind of name that the profile requires",
        "Add a name of the required kind to the request.",
    ),
    "alternative-names-count": Explanation(
        "more names than the profile allows",
        "Ask for fewer names, or raise the profile's alternative_names.max.",
    ),
    "alternative-names-size": Explanation(
        "names too long in all",
        "Ask for fewer or shorter names.",
    ),
    "wildcard": Explanation(
        "a wildcard where the profile takes none",
        "Name each host, or set alternative_names.wildcards in the profile.",
    ),
    "dns-name": Explanation(
        "not a DNS name in letters, digits and hyphens (A-labels)",
        "Write the name in letters, digits and hyphens; international names as xn-- labels.",
    ),
    "ip-address": Explanation(
        "not an address of a host",
        "Give the address of one host, neither a network nor a multicast address.",
    ),
    "email-address": Explanation(
        "not an email address",
        "Write it as name@host.example.",
    ),
    "uri": Explanation(
        "not an absolute URI",
        "Write the whole URI, with its scheme.",
    ),
    "ca-not-allowed": Explanation(
        "CA:TRUE, keyCertSign or cRLSign: no profile makes authorities",
        "Leave CA:TRUE, keyCertSign and cRLSign out of the request.",
    ),
    "critical-extension": Explanation(
        "an extension, marked critical, that the profile does not take",
        "Leave the extension out of the request, or mark it as not critical.",
    ),
    "unasked-extension": Explanation(
        "an extension that the profile refuses rather than drops",
        "Leave the extension out, or set unasked_extensions to drop in the profile.",
    ),
    "key-usage": Explanation(
        "a key usage that the profile does not give, or nothing left of the one asked for",
        "Ask for what the profile gives, or leave the key usage out of the request.",
    ),
    "extended-key-usage": Explanation(
        "the same for purposes",
        "Ask for purposes that the profile gives, or leave them out of the request.",
    ),
    "lint": Explanation(
        "the certificate would break a rule of RFC 5280; the profile needs mending",
        "Look at the profile: preview a certificate made after it, and mend what it says.",
    ),
    "unknown-path": Explanation(
        "the path names no EST operation",
        "Compare the client's URL with the one of the application's page.",
    ),
    "unknown-label": Explanation(
        "there is no such label",
        "Compare the label in the client's URL with the list of labels.",
    ),
    "method-not-allowed": Explanation(
        "Allow says which methods there are",
        "Use POST for enrolment and GET for cacerts and csrattrs.",
    ),
    "request-timeout": Explanation(
        "the request did not arrive within 15 s",
        "Look at the network between the client and this server.",
    ),
    "body-too-large": Explanation(
        "the body is above 64 KiB",
        "Send the request alone; one of ordinary size has less than 4 KiB.",
    ),
    "unsupported-media-type": Explanation(
        "Content-Type: application/pkcs10 is needed",
        "Set the header Content-Type: application/pkcs10.",
    ),
    "content-encoding": Explanation(
        "the body is compressed",
        "Send the body as it is, not compressed.",
    ),
    "rate-limited": Explanation(
        "too many password checks; Retry-After says when to try again",
        "Wait as Retry-After says; look for a client that repeats a wrong password.",
    ),
    "unavailable": Explanation(
        "not now; nothing was issued, and the same request may be repeated",
        "Repeat the same request in a moment; if it goes on, look at the dashboard.",
    ),
    "est-disabled": Explanation(
        "a property is missing, not Active or names something that is not there: properties",
        "Set the property that the text names, under Application Settings, Properties.",
    ),
    "database-down": Explanation(
        "the database does not answer",
        "Look at the database; nothing was issued.",
    ),
    "key-store-down": Explanation(
        "the key store cannot be opened",
        "Look at the key store; nothing was issued.",
    ),
    "clock-unsafe": Explanation(
        "the clock stands before the newest event or has jumped; nothing is signed until it is right",
        "Set the machine's clock right.",
    ),
    "authority-expired": Explanation(
        "the profile's authority has expired",
        "Make a new issuing authority and name it in the profile.",
    ),
    "overloaded": Explanation(
        "too many requests wait for the database",
        "Repeat the request in a moment; with many clients, spread them over time.",
    ),
    "key-in-flight": Explanation(
        "another request is having this key certified at this moment, and the profile does not allow it twice",
        "Send one request for each key at a time.",
    ),
    "stopping": Explanation(
        "the server is draining",
        "Repeat the request in a moment.",
    ),
    "key-type-not-allowed": Explanation(
        "DSA, DH, X25519, X448, Ed448, RSA keys marked for PSS only",
        "Make a key of a kind that keys and profile allow, P-256 for instance.",
    ),
    "curve-not-allowed": Explanation(
        "any other curve: P-192, P-224, secp256k1, Brainpool; curves given by their parameters",
        "Make the key on P-256, P-384 or P-521, as a named curve.",
    ),
    "point-off-curve": Explanation(
        "an EC key that is not a point of its curve, the point at infinity, an octet too many or too few",
        "Make a new key, with another tool.",
    ),
    "rsa-modulus-too-small": Explanation(
        "fewer than 2048 bits",
        "Make an RSA key of 2048 bits at least, or a P-256 key.",
    ),
    "rsa-modulus-too-large": Explanation(
        "more than 8192 bits",
        "Make an RSA key of 8192 bits at most.",
    ),
    "rsa-exponent-even": Explanation(
        "an even exponent",
        "Make a new key with the exponent 65537.",
    ),
    "rsa-exponent-too-small": Explanation(
        "below 65537",
        "Make a new key with the exponent 65537.",
    ),
    "rsa-exponent-too-large": Explanation(
        "above 2^64",
        "Make a new key with the exponent 65537.",
    ),
    "rsa-small-factor": Explanation(
        "a prime factor up to 65537",
        "Make a new key with another generator; this one may be broken for all its devices.",
    ),
    "rsa-fermat": Explanation(
        "two primes close together",
        "Make a new key with another generator; this one may be broken for all its devices.",
    ),
    "rsa-roca": Explanation(
        "the fingerprint of a faulty Infineon library",
        "Update the device's security chip, or make the key outside of it.",
    ),
    "rsa-shared-prime": Explanation(
        "a prime shared with keys seen on the internet",
        "Make a new key once the device has gathered randomness.",
    ),
    "rsa-sparse-modulus": Explanation(
        "zero octets in a pattern",
        "Make a new key with another generator.",
    ),
    "key-on-blocklist": Explanation(
        "a key whose private half is known to be public: Debian's weak keys of 2008, keys in firmware and repositories",
        "Make a new key: whoever wants has the private half of this one.",
    ),
}
