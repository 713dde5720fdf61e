//! Signatures of certificates that `ring` does not verify: ECDSA on P-521, and with SHA-512.
//!
//! Companies' own CAs have them. Everything else is left to `ring`, whose code has been looked at
//! by more people.

use std::fmt;
use std::sync::Arc;

use p521::ecdsa::signature::hazmat::PrehashVerifier;
use ring::digest;
use rustls::crypto::{CryptoProvider, KeyProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, PrivateKeyDer, SignatureVerificationAlgorithm, alg_id,
};
use rustls::sign::SigningKey;
use rustls::{CipherSuite, NamedGroup, SignatureScheme};
use webpki::ring as by_ring;

/// `ring`'s cryptography, and these signatures.
pub(crate) fn provider() -> CryptoProvider {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.signature_verification_algorithms = ALGORITHMS;
    provider.key_provider = &NoKeys;
    // Processors have instructions for SHA-256, few for SHA-384, and a short exchange is mostly
    // that: as browsers do, this one first.
    let first = CipherSuite::TLS13_AES_128_GCM_SHA256;
    provider
        .cipher_suites
        .sort_by_key(|suite| suite.suite() != first);
    // Every server has to know it (RFC 8446, 9.1), and ring has it in assembly. X25519 is partly in
    // C, compiled to be small: it made up a fifth of an exchange's processor time.
    provider
        .kx_groups
        .sort_by_key(|group| group.name() != NamedGroup::secp256r1);
    provider
}

/// A client has no certificate of its own, so what would sign with one is left out of the library.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(
        &self,
        _: PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General(
            "client keys are not used".to_owned(),
        ))
    }
}

type Algorithm = &'static dyn SignatureVerificationAlgorithm;

static P521_SHA512: Algorithm = &Ecdsa {
    key: alg_id::ECDSA_P521,
    signature: alg_id::ECDSA_SHA512,
    hash: &digest::SHA512,
    verify: on_p521,
};
static P521_SHA384: Algorithm = &Ecdsa {
    key: alg_id::ECDSA_P521,
    signature: alg_id::ECDSA_SHA384,
    hash: &digest::SHA384,
    verify: on_p521,
};
static P521_SHA256: Algorithm = &Ecdsa {
    key: alg_id::ECDSA_P521,
    signature: alg_id::ECDSA_SHA256,
    hash: &digest::SHA256,
    verify: on_p521_with_zeros,
};
static P384_SHA512: Algorithm = &Ecdsa {
    key: alg_id::ECDSA_P384,
    signature: alg_id::ECDSA_SHA512,
    hash: &digest::SHA512,
    verify: on_p384,
};
static P256_SHA512: Algorithm = &Ecdsa {
    key: alg_id::ECDSA_P256,
    signature: alg_id::ECDSA_SHA512,
    hash: &digest::SHA512,
    verify: on_p256,
};

const ALGORITHMS: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: ALL,
    mapping: MAPPING,
};

static ALL: &[Algorithm] = &[
    by_ring::ECDSA_P256_SHA256,
    by_ring::ECDSA_P256_SHA384,
    by_ring::ECDSA_P384_SHA256,
    by_ring::ECDSA_P384_SHA384,
    by_ring::ED25519,
    by_ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    by_ring::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    by_ring::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
    by_ring::RSA_PKCS1_2048_8192_SHA256,
    by_ring::RSA_PKCS1_2048_8192_SHA384,
    by_ring::RSA_PKCS1_2048_8192_SHA512,
    by_ring::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
    by_ring::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
    by_ring::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    P256_SHA512,
    P384_SHA512,
    P521_SHA256,
    P521_SHA384,
    P521_SHA512,
];

/// What a server may sign a handshake with, the best first. TLS 1.2 leaves the curve open, so more
/// than one may fit; TLS 1.3 takes the first.
static MAPPING: &[(SignatureScheme, &[Algorithm])] = &[
    (
        SignatureScheme::ECDSA_NISTP384_SHA384,
        &[
            by_ring::ECDSA_P384_SHA384,
            by_ring::ECDSA_P256_SHA384,
            P521_SHA384,
        ],
    ),
    (
        SignatureScheme::ECDSA_NISTP256_SHA256,
        &[by_ring::ECDSA_P256_SHA256, by_ring::ECDSA_P384_SHA256],
    ),
    (
        SignatureScheme::ECDSA_NISTP521_SHA512,
        &[P521_SHA512, P384_SHA512, P256_SHA512],
    ),
    (SignatureScheme::ED25519, &[by_ring::ED25519]),
    (
        SignatureScheme::RSA_PSS_SHA512,
        &[by_ring::RSA_PSS_2048_8192_SHA512_LEGACY_KEY],
    ),
    (
        SignatureScheme::RSA_PSS_SHA384,
        &[by_ring::RSA_PSS_2048_8192_SHA384_LEGACY_KEY],
    ),
    (
        SignatureScheme::RSA_PSS_SHA256,
        &[by_ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY],
    ),
    (
        SignatureScheme::RSA_PKCS1_SHA512,
        &[by_ring::RSA_PKCS1_2048_8192_SHA512],
    ),
    (
        SignatureScheme::RSA_PKCS1_SHA384,
        &[by_ring::RSA_PKCS1_2048_8192_SHA384],
    ),
    (
        SignatureScheme::RSA_PKCS1_SHA256,
        &[by_ring::RSA_PKCS1_2048_8192_SHA256],
    ),
];

/// A curve and a hash.
struct Ecdsa {
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    hash: &'static digest::Algorithm,
    /// Whether the key has signed the hash.
    verify: fn(key: &[u8], hash: &[u8], signature: &[u8]) -> bool,
}

impl fmt::Debug for Ecdsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ecdsa")
    }
}

impl SignatureVerificationAlgorithm for Ecdsa {
    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let hash = digest::digest(self.hash, message);
        match (self.verify)(key, hash.as_ref(), signature) {
            true => Ok(()),
            false => Err(InvalidSignature),
        }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

/// What is no key or no signature verifies nothing.
macro_rules! on_curve {
    ($name:ident, $curve:ident) => {
        fn $name(key: &[u8], hash: &[u8], signature: &[u8]) -> bool {
            let key = $curve::ecdsa::VerifyingKey::from_sec1_bytes(key);
            let signature = $curve::ecdsa::Signature::from_der(signature);
            matches!((key, signature), (Ok(key), Ok(signature))
                if key.verify_prehash(hash, &signature).is_ok())
        }
    };
}
on_curve!(on_p256, p256);
on_curve!(on_p384, p384);
on_curve!(on_p521, p521);

/// The crate refuses a hash of less than half the curve's size. A hash is a number, which zeros
/// before it do not change.
fn on_p521_with_zeros(key: &[u8], hash: &[u8], signature: &[u8]) -> bool {
    on_p521(key, &[&[0; 32], hash].concat(), signature)
}
