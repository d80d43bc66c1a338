
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Every way in which an enrolment can end, and what each protocol makes of
 * it.  No other place decides on a status code, a failInfo or a sentence.
 */


#ifndef _ENROLL_OUTCOME_H_INCLUDED_
#define _ENROLL_OUTCOME_H_INCLUDED_


/* SCEP failInfo (RFC 8894, section 3.2.1.4) */

#define ENROLL_BAD_ALG        0
#define ENROLL_BAD_MESSAGE    1
#define ENROLL_BAD_REQUEST    2
#define ENROLL_BAD_TIME       3
#define ENROLL_BAD_CERT_ID    4
#define ENROLL_NO_FAILINFO    (-1)      /* HTTP status alone */

/* CMCFailInfo (RFC 5272, section 6.1.4) */

#define ENROLL_CMC_BAD_ALG           0
#define ENROLL_CMC_BAD_MESSAGE       1
#define ENROLL_CMC_BAD_REQUEST       2
#define ENROLL_CMC_BAD_CERT_ID       4
#define ENROLL_CMC_UNSUPPORTED_EXT   5
#define ENROLL_CMC_BAD_IDENTITY      7
#define ENROLL_CMC_POP_FAILED        9
#define ENROLL_CMC_INTERNAL_CA       11
#define ENROLL_CMC_TRY_LATER         12
#define ENROLL_CMC_NONE              (-1)

/* whose matter it is; the log level and $enroll_outcome follow from it */

typedef enum {
    ENROLL_CLASS_DONE = 0,   /* "served", "issued", "renewed", "repeated" */
    ENROLL_CLASS_REFUSED,    /* the client's fault or lack of a right */
    ENROLL_CLASS_FAILED      /* ours or our store's: the client may retry */
} enroll_class_e;


/*
 * X(name, class, HTTP status, SCEP failInfo, CMC failInfo, reason id,
 *   sentence for the client)
 */

#define ENROLL_OUTCOMES(X)                                                    \
                                                                              \
    X(OK,            DONE, 200, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,          \
      "issued", "The certificate is issued.")                                 \
    X(RENEWED,       DONE, 200, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,          \
      "renewed", "The certificate is renewed.")                               \
    X(REPEATED,      DONE, 200, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,          \
      "repeated", "The certificate was issued before and is sent again.")     \
    X(SERVED,        DONE, 200, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,          \
      "served", "The information is sent.")                                   \
    X(FOUND,         DONE, 200, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,          \
      "found", "The certificate is sent.")                                    \
    X(PENDING,       DONE, 202, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,          \
      "pending", "The request waits for approval, ask again later.")          \
    X(NOTHING,       DONE, 204, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,          \
      "nothing_to_say", "There is nothing to say.")                           \
                                                                              \
    /* HTTP */                                                                \
                                                                              \
    X(NO_OPERATION,  REFUSED, 404, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,       \
      "unknown_operation", "There is no such operation here.")                \
    X(NO_CA,         REFUSED, 404, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,       \
      "unknown_ca", "There is no such certification authority here.")         \
    X(NO_PROFILE,    REFUSED, 404, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,       \
      "unknown_profile", "There is no such certificate profile here.")        \
    X(METHOD,        REFUSED, 405, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,       \
      "method_not_allowed",                                                   \
      "This operation takes another method, see the Allow header.")           \
    X(NO_TLS,        REFUSED, 403, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,       \
      "tls_required", "This service is offered over TLS only.")               \
    X(EARLY_DATA,    REFUSED, 425, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,       \
      "early_data", "An enrolment is not taken as TLS early data.")           \
    X(TOO_LARGE,     REFUSED, 413, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,       \
      "body_too_large", "The request body is larger than is accepted.")       \
    X(MEDIA_TYPE,    REFUSED, 415, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,       \
      "media_type",                                                           \
      "The Content-Type is not that of a certification request.")             \
    X(CODING,        REFUSED, 415, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,       \
      "content_encoding", "The request body must not be compressed.")         \
                                                                              \
    /* who is asking */                                                       \
                                                                              \
    X(UNAUTHORIZED,  REFUSED, 401, ENROLL_BAD_REQUEST,                        \
      ENROLL_CMC_BAD_IDENTITY, "authentication_required",                     \
      "Authentication is required.")                                          \
    X(BAD_PASSWORD,  REFUSED, 401, ENROLL_BAD_REQUEST,                        \
      ENROLL_CMC_BAD_IDENTITY, "bad_password",                                \
      "The user name or password is wrong.")                                  \
    X(NO_CLIENT_CERT, REFUSED, 403, ENROLL_BAD_REQUEST,                       \
      ENROLL_CMC_BAD_IDENTITY, "client_certificate_required",                 \
      "A client certificate that this service accepts is required.")          \
    X(CERT_NOT_VERIFIED, REFUSED, 403, ENROLL_BAD_CERT_ID,                    \
      ENROLL_CMC_BAD_IDENTITY, "client_certificate_not_verified",             \
      "The client certificate could not be verified.")                        \
    X(CERT_ISSUER,   REFUSED, 403, ENROLL_BAD_CERT_ID,                        \
      ENROLL_CMC_BAD_IDENTITY, "client_certificate_issuer",                   \
      "The issuer of the client certificate is not accepted here.")           \
    X(CERT_EXPIRED,  REFUSED, 403, ENROLL_BAD_CERT_ID,                        \
      ENROLL_CMC_BAD_IDENTITY, "client_certificate_expired",                  \
      "The client certificate is expired or not yet valid.")                  \
    X(CERT_REVOKED,  REFUSED, 403, ENROLL_BAD_CERT_ID,                        \
      ENROLL_CMC_BAD_IDENTITY, "client_certificate_revoked",                  \
      "The client certificate is revoked.")                                   \
    X(CERT_UNRECORDED, REFUSED, 403, ENROLL_BAD_CERT_ID,                      \
      ENROLL_CMC_BAD_IDENTITY, "client_certificate_unrecorded",               \
      "The client certificate is not in the records of this authority.")      \
                                                                              \
    /* what is asked: form */                                                 \
                                                                              \
    X(EMPTY_BODY,    REFUSED, 400, ENROLL_BAD_REQUEST,                        \
      ENROLL_CMC_BAD_REQUEST, "empty_body", "The request body is empty.")     \
    X(BAD_ENCODING,  REFUSED, 400, ENROLL_BAD_REQUEST,                        \
      ENROLL_CMC_BAD_REQUEST, "bad_base64",                                   \
      "The request body is neither base64 nor DER nor PEM.")                  \
    X(BAD_CSR,       REFUSED, 400, ENROLL_BAD_REQUEST,                        \
      ENROLL_CMC_BAD_REQUEST, "malformed_csr",                                \
      "The certification request is not well-formed PKCS #10.")               \
    X(BAD_ATTRIBUTE, REFUSED, 400, ENROLL_BAD_REQUEST,                        \
      ENROLL_CMC_BAD_REQUEST, "malformed_attribute",                          \
      "An attribute of the certification request is malformed, repeated "     \
      "or not supported.")                                                    \
    X(BAD_EXTENSION, REFUSED, 400, ENROLL_BAD_REQUEST,                        \
      ENROLL_CMC_UNSUPPORTED_EXT, "malformed_extension",                      \
      "A requested extension is malformed or repeated.")                      \
    X(BAD_SIGNATURE, REFUSED, 400, ENROLL_BAD_MESSAGE,                        \
      ENROLL_CMC_POP_FAILED, "proof_of_possession",                           \
      "The signature of the certification request does not verify.")          \
    X(BAD_SIGNATURE_ALG, REFUSED, 400, ENROLL_BAD_ALG, ENROLL_CMC_BAD_ALG,    \
      "signature_algorithm",                                                  \
      "The signature algorithm of the certification request is not "          \
      "accepted.")                                                            \
    X(BAD_LINKING,   REFUSED, 400, ENROLL_BAD_REQUEST,                        \
      ENROLL_CMC_POP_FAILED, "identity_linking",                              \
      "The challengePassword does not link the request to this TLS "          \
      "connection.")                                                          \
    X(NAME_CHANGE,   REFUSED, 403, ENROLL_BAD_REQUEST,                        \
      ENROLL_CMC_BAD_REQUEST, "name_change",                                  \
      "A change of the subject name is not permitted.")                       \
                                                                              \
    /* what is asked: key and names */                                        \
                                                                              \
    X(BAD_KEY,       REFUSED, 400, ENROLL_BAD_ALG, ENROLL_CMC_BAD_ALG,        \
      "malformed_key", "The public key is malformed or weak.")                \
    X(KEY_NOT_ALLOWED, REFUSED, 400, ENROLL_BAD_ALG, ENROLL_CMC_BAD_ALG,      \
      "key_not_allowed",                                                      \
      "The type or size of the public key is not accepted here.")             \
    X(KEY_RESERVED,  REFUSED, 400, ENROLL_BAD_REQUEST,                        \
      ENROLL_CMC_BAD_REQUEST, "key_reserved",                                 \
      "The public key is in use by this service.")                            \
    X(BAD_SUBJECT,   REFUSED, 400, ENROLL_BAD_REQUEST,                        \
      ENROLL_CMC_BAD_REQUEST, "malformed_subject",                            \
      "The subject name is malformed or too long.")                           \
    X(NO_NAME,       REFUSED, 400, ENROLL_BAD_REQUEST,                        \
      ENROLL_CMC_BAD_REQUEST, "no_name",                                      \
      "The request has neither a subject nor a subjectAltName.")              \
    X(BAD_SAN,       REFUSED, 400, ENROLL_BAD_REQUEST,                        \
      ENROLL_CMC_BAD_REQUEST, "malformed_san",                                \
      "The subjectAltName is malformed or has too many names.")               \
    X(SAN_NOT_ALLOWED, REFUSED, 400, ENROLL_BAD_REQUEST,                      \
      ENROLL_CMC_BAD_REQUEST, "san_not_allowed",                              \
      "The subjectAltName has a kind of name that is not accepted here.")     \
    X(NAME_NOT_PERMITTED, REFUSED, 403, ENROLL_BAD_REQUEST,                   \
      ENROLL_CMC_BAD_IDENTITY, "name_not_permitted",                          \
      "The authenticated client may not ask for this name.")                  \
    X(RENEWAL_SUBJECT, REFUSED, 403, ENROLL_BAD_CERT_ID,                      \
      ENROLL_CMC_BAD_IDENTITY, "renewal_subject",                             \
      "The subject differs from that of the certificate to renew.")           \
    X(RENEWAL_SAN,   REFUSED, 403, ENROLL_BAD_CERT_ID,                        \
      ENROLL_CMC_BAD_IDENTITY, "renewal_san",                                 \
      "The subjectAltName differs from that of the certificate to renew.")    \
    X(RENEWAL_ISSUER, REFUSED, 403, ENROLL_BAD_CERT_ID,                       \
      ENROLL_CMC_BAD_CERT_ID, "renewal_issuer",                               \
      "Only a certificate of this authority can be renewed.")                 \
    X(RENEWAL_PROFILE, REFUSED, 403, ENROLL_BAD_CERT_ID,                      \
      ENROLL_CMC_BAD_CERT_ID, "renewal_profile",                              \
      "The certificate to renew is of another profile.")                      \
    X(RENEWAL_EARLY, REFUSED, 403, ENROLL_BAD_CERT_ID,                        \
      ENROLL_CMC_BAD_CERT_ID, "renewal_too_early",                            \
      "It is too early to renew the certificate.")                            \
                                                                              \
    /* SCEP's messages; the status is for what no CertRep can answer */       \
                                                                              \
    X(SCEP_MESSAGE, REFUSED, 400, ENROLL_BAD_REQUEST,                         \
      ENROLL_CMC_BAD_REQUEST, "malformed_message",                            \
      "The body is not a SCEP message with one signer, a transactionID "      \
      "and a senderNonce.")                                                   \
    X(SCEP_ATTRIBUTE, REFUSED, 400, ENROLL_BAD_REQUEST,                       \
      ENROLL_CMC_BAD_REQUEST, "malformed_scep_attribute",                     \
      "A signed attribute of the SCEP message is missing, malformed or "      \
      "repeated.")                                                            \
    X(SCEP_SIGNATURE, REFUSED, 400, ENROLL_BAD_MESSAGE,                       \
      ENROLL_CMC_BAD_MESSAGE, "message_signature",                            \
      "The signature of the SCEP message does not verify.")                   \
    X(SCEP_ALG, REFUSED, 400, ENROLL_BAD_ALG,                                 \
      ENROLL_CMC_BAD_ALG, "message_algorithm",                                \
      "An algorithm or the signer's key of the SCEP message is not "          \
      "accepted here.")                                                       \
    X(SCEP_TYPE, REFUSED, 400, ENROLL_BAD_REQUEST,                            \
      ENROLL_CMC_BAD_REQUEST, "message_type",                                 \
      "The messageType is none that is served here.")                         \
    X(SCEP_ENVELOPE, REFUSED, 400, ENROLL_BAD_REQUEST,                        \
      ENROLL_CMC_BAD_REQUEST, "malformed_envelope",                           \
      "The SCEP message has no well-formed pkcsPKIEnvelope with one "         \
      "recipient.")                                                           \
    X(SCEP_DECRYPT, REFUSED, 400, ENROLL_BAD_REQUEST,                         \
      ENROLL_CMC_BAD_REQUEST, "envelope_not_opened",                          \
      "The pkcsPKIEnvelope is not for this authority, or has no request "     \
      "of this messageType by the signer in it.")                             \
    X(SCEP_NO_ENVELOPE, REFUSED, 400, ENROLL_BAD_ALG,                         \
      ENROLL_CMC_BAD_ALG, "no_answer_envelope",                               \
      "The answer cannot be encrypted: the key is not for encryption, and "   \
      "there is no challengePassword.")                                       \
                                                                              \
    /* approval, challenges, transactions */                                  \
                                                                              \
    X(DENIED,        REFUSED, 403, ENROLL_BAD_REQUEST,                        \
      ENROLL_CMC_BAD_IDENTITY, "denied",                                      \
      "The request was denied by an administrator.")                          \
    X(TOO_MANY_PENDING, REFUSED, 429, ENROLL_BAD_REQUEST,                     \
      ENROLL_CMC_TRY_LATER, "too_many_pending",                               \
      "Too many requests wait for approval, try again later.")                \
    X(CHALLENGE_REQUIRED, REFUSED, 403, ENROLL_BAD_REQUEST,                   \
      ENROLL_CMC_BAD_IDENTITY, "challenge_required",                          \
      "A challenge password is required.")                                    \
    X(CHALLENGE_UNKNOWN, REFUSED, 403, ENROLL_BAD_REQUEST,                    \
      ENROLL_CMC_BAD_IDENTITY, "challenge_unknown",                           \
      "The challenge password is wrong, expired or used up.")                 \
    X(CHALLENGE_BOUND, REFUSED, 403, ENROLL_BAD_REQUEST,                      \
      ENROLL_CMC_BAD_IDENTITY, "challenge_bound",                             \
      "The challenge password was made for another request.")                 \
    X(REPLAYED,      REFUSED, 403, ENROLL_BAD_REQUEST,                        \
      ENROLL_CMC_BAD_REQUEST, "nonce_replayed",                               \
      "The senderNonce was used in another transaction.")                     \
    X(NOT_FOUND,     REFUSED, 404, ENROLL_BAD_CERT_ID,                        \
      ENROLL_CMC_BAD_CERT_ID, "not_found",                                    \
      "There is no such transaction or certificate for this client.")         \
    X(SCEP_OPERATION, REFUSED, 400, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,      \
      "unknown_scep_operation",                                               \
      "The operation is missing or none of SCEP.")                            \
    X(NO_NEXT_CA,    REFUSED, 404, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,       \
      "no_next_ca", "There is no next certificate of this authority.")        \
    X(NO_CRL,        REFUSED, 404, ENROLL_BAD_REQUEST,                        \
      ENROLL_CMC_BAD_REQUEST, "no_crl",                                       \
      "This authority does not hand out CRLs by SCEP.")                       \
    X(TOO_MANY_FAILURES, REFUSED, 403, ENROLL_BAD_REQUEST,                    \
      ENROLL_CMC_TRY_LATER, "too_many_failures",                              \
      "Too many requests of this client failed, try again later.")            \
                                                                              \
    /* the API */                                                             \
                                                                              \
    X(MINTED,        DONE, 201, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,          \
      "minted", "The challenge is minted.")                                   \
    X(DELETED,       DONE, 200, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,          \
      "deleted", "The challenge is deleted.")                                 \
    X(DECIDED,       DONE, 200, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,          \
      "decided", "The request is decided.")                                   \
    X(ADDRESS_NOT_ALLOWED, REFUSED, 403, ENROLL_NO_FAILINFO,                  \
      ENROLL_CMC_NONE, "address_not_allowed",                                 \
      "Access is not allowed from this address.")                             \
    X(CROSS_ORIGIN,  REFUSED, 403, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,       \
      "cross_origin", "The request was made by a page of another origin.")    \
    X(JSON_REQUIRED, REFUSED, 415, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,       \
      "json_required", "The Content-Type must be application/json.")          \
    X(BAD_JSON,      REFUSED, 400, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,       \
      "malformed_json",                                                       \
      "The request body is not a JSON object of strings and numbers.")        \
    X(BAD_MEMBER,    REFUSED, 400, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,       \
      "bad_member",                                                           \
      "A member of the JSON object is unknown, repeated, missing or has a "   \
      "value that is not accepted.")                                          \
    X(BAD_ARGUMENT,  REFUSED, 400, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,       \
      "bad_argument",                                                         \
      "An argument of the query has a value that is not accepted.")           \
    X(NO_ENTRY,      REFUSED, 404, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,       \
      "no_such_entry", "There is no such challenge or request, any more.")    \
    X(DECIDED_OTHERWISE, REFUSED, 409, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,   \
      "decided_otherwise", "The request was decided otherwise before.")       \
    X(CHALLENGES_FULL, REFUSED, 429, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,     \
      "too_many_challenges",                                                  \
      "There are too many challenges that are not used, try again later.")    \
                                                                              \
    /* ours */                                                                \
                                                                              \
    X(STORE_DOWN,    FAILED, 503, ENROLL_NO_FAILINFO, ENROLL_CMC_TRY_LATER,   \
      "store_unavailable",                                                    \
      "The service cannot record certificates at the moment, try again "      \
      "later.")                                                               \
    X(STORE_LOST,    FAILED, 503, ENROLL_NO_FAILINFO, ENROLL_CMC_TRY_LATER,   \
      "transaction_lost",                                                     \
      "The request took too long and was given up, try again later.")         \
    X(STORE_TAMPERED, FAILED, 503, ENROLL_NO_FAILINFO, ENROLL_CMC_TRY_LATER,  \
      "record_not_trusted",                                                   \
      "The recorded certificate could not be confirmed, try again later.")    \
    X(BUSY,          FAILED, 503, ENROLL_NO_FAILINFO, ENROLL_CMC_TRY_LATER,   \
      "busy", "The service is busy, try again later.")                        \
    X(TIMEOUT,       FAILED, 503, ENROLL_NO_FAILINFO, ENROLL_CMC_TRY_LATER,   \
      "timeout", "The request took too long, try again later.")               \
    X(SIGN_FAILED,   FAILED, 503, ENROLL_NO_FAILINFO, ENROLL_CMC_TRY_LATER,   \
      "signing_failed",                                                       \
      "The certificate could not be signed, try again later.")                \
    X(CA_EXPIRED,    FAILED, 503, ENROLL_NO_FAILINFO, ENROLL_CMC_TRY_LATER,   \
      "ca_expired",                                                           \
      "The certification authority is out of its validity period.")           \
    X(RA_EXPIRED,    FAILED, 503, ENROLL_NO_FAILINFO, ENROLL_CMC_TRY_LATER,   \
      "ra_expired",                                                           \
      "The registration authority is out of its validity period.")            \
    X(CLIENT_GONE,   REFUSED, 499, ENROLL_NO_FAILINFO, ENROLL_CMC_NONE,        \
      "client_gone", "The client closed the connection.")                     \
    X(INTERNAL,      FAILED, 500, ENROLL_NO_FAILINFO, ENROLL_CMC_INTERNAL_CA, \
      "internal_error", "An internal error occurred.")


typedef enum {
#define ENROLL_OUTCOME_ID(name, class, http, scep, cmc, reason, text)         \
    ENROLL_##name,
    ENROLL_OUTCOMES(ENROLL_OUTCOME_ID)
#undef ENROLL_OUTCOME_ID
    ENROLL_OUTCOME_COUNT
} enroll_outcome_e;


typedef struct {
    enroll_class_e   class;
    int              http;
    int              failinfo;
    int              cmc;
    const char      *reason;
    const char      *text;
} enroll_outcome_t;


/* the row of an outcome; static, never NULL for a value of the enum */

const enroll_outcome_t *enroll_outcome(enroll_outcome_e outcome);


#endif /* _ENROLL_OUTCOME_H_INCLUDED_ */
