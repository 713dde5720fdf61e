//! TLS: one configuration for a client and process, with its sessions, and a server's certificate
//! judged in words.

use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme,
};

use super::curves;
use super::roots::{self, CaFile, Roots, Sources, WatchedCaFile};
use super::secured::Secured;
use super::stream::Stream;
use super::verdict;
use crate::process::fork::PerProcess;
use crate::process::sync::Mutex;

/// Enough for the server and a proxy that speaks TLS.
const SESSIONS: usize = 16;

/// A client's way to speak TLS.
pub(crate) struct Tls {
    sources: Sources,
    ca_file: Option<CaFile>,
    /// Of each process its own: a session must not be resumed by two, and a lock that another
    /// thread had at the fork stays closed in the child.
    state: PerProcess<Mutex<Option<State>>>,
}

struct State {
    provider: Arc<CryptoProvider>,
    ca_file: Option<WatchedCaFile>,
    trust: Trust,
    /// `None` where nobody is trusted.
    config: Option<Arc<ClientConfig>>,
}

/// No CA certificates at all.
#[derive(Debug)]
pub(crate) struct NoRoots {
    /// Though the environment says where they are.
    pub(crate) named_by_environment: bool,
}

impl Tls {
    pub(crate) fn new(sources: Sources, ca_file: Option<CaFile>) -> Tls {
        Tls {
            sources,
            ca_file,
            state: PerProcess::new(),
        }
    }

    /// The configuration for an exchange now. The same as before, unless certificates have changed.
    pub(crate) fn config(&self, now_ms: i64) -> Result<Arc<ClientConfig>, NoRoots> {
        let state = self.state.get(Mutex::default);
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = match &mut *state {
            Some(state) => state,
            none => none.insert(self.first_state(now_ms)),
        };
        let system = roots::of_system(&self.sources, now_ms, &state.provider);
        let extra = state
            .ca_file
            .as_mut()
            .map(|file| file.roots(now_ms, &state.provider));
        if !state.trust.is_in(&system, extra.as_ref()) {
            state.trust = Trust { system, extra };
            state.config = state.trust.config(&state.provider);
        }
        state.config.clone().ok_or(NoRoots {
            named_by_environment: !self.sources.are_of_the_system(),
        })
    }

    fn first_state(&self, now_ms: i64) -> State {
        let provider = Arc::new(curves::provider());
        let mut ca_file = self
            .ca_file
            .as_ref()
            .map(|file| file.watched(now_ms, &provider));
        let trust = Trust {
            system: roots::of_system(&self.sources, now_ms, &provider),
            extra: ca_file.as_mut().map(|file| file.roots(now_ms, &provider)),
        };
        State {
            config: trust.config(&provider),
            provider,
            ca_file,
            trust,
        }
    }
}

/// TLS with this host over `stream`.
pub(crate) fn over(
    stream: Box<dyn Stream>,
    config: Arc<ClientConfig>,
    host: &str,
) -> io::Result<Box<dyn Stream>> {
    // A certificate's names end in no dot.
    let name = host.strip_suffix('.').unwrap_or(host);
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
    Ok(Box::new(Secured::new(connection, stream)?))
}

/// Trusts what the system trusts, and what the program's CA file adds.
#[derive(Clone, Debug)]
struct Trust {
    system: Arc<Roots>,
    extra: Option<Arc<Roots>>,
}

impl Trust {
    fn is_in(&self, system: &Arc<Roots>, extra: Option<&Arc<Roots>>) -> bool {
        let same_extra = match (&self.extra, extra) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        same_extra && Arc::ptr_eq(&self.system, system)
    }

    fn config(&self, provider: &Arc<CryptoProvider>) -> Option<Arc<ClientConfig>> {
        if self.system.verifier.is_none() && self.extra.is_none() {
            return None;
        }
        let verifier = Verifier {
            trust: self.clone(),
            provider: Arc::clone(provider),
        };
        // The provider has suites for both versions.
        let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
            .with_safe_default_protocol_versions()
            .ok()?
            // rustls' word for a verifier of one's own. This one asks rustls'.
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Some(Arc::new(config))
    }
}

#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verify = |verifier: &Arc<dyn ServerCertVerifier>| {
            verifier.verify_server_cert(server, intermediates, name, ocsp, now)
        };
        let mut refusal = rustls::Error::from(CertificateError::UnknownIssuer);
        if let Some(extra) = &self.trust.extra
            && let Some(verifier) = &extra.verifier
        {
            match verify(verifier) {
                Err(why) if is_ca_as_server(&why) && extra.certificates.contains(server) => {
                    // The program trusts this very certificate. That it could sign others does no
                    // harm.
                    verify_server_name(&ParsedCertificate::try_from(server)?, name)?;
                    return Ok(ServerCertVerified::assertion());
                }
                Err(why) => refusal = why,
                good => return good,
            }
        }
        match &self.trust.system.verifier {
            // What the CA file says of the certificate's time or name is the better reason.
            Some(verifier) => verify(verifier).map_err(|why| {
                match is_unknown(&refusal) || verdict::missing(&why).is_some() {
                    true => why,
                    false => refusal,
                }
            }),
            None => Err(refusal),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn is_unknown(why: &rustls::Error) -> bool {
    *why == rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)
}

/// All is well with the certificate but that it is a CA's: its time, which was looked at before,
/// too.
fn is_ca_as_server(why: &rustls::Error) -> bool {
    matches!(why, rustls::Error::InvalidCertificate(why) if is_cas(why))
}

fn is_cas(why: &CertificateError) -> bool {
    matches!(why, CertificateError::Other(other)
        if matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity)))
}

/// Why there is no TLS, in words, and what to do.
pub(crate) struct InWords<'a>(pub(crate) &'a rustls::Error);

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use rustls::Error as E;
        match self.0 {
            E::InvalidCertificate(why) => f.write_str(certificate_in_words(why)),
            E::InvalidMessage(_) => {
                f.write_str("what answers does not speak TLS there: check the port")
            }
            E::NoCertificatesPresented => f.write_str("the server showed no certificate"),
            E::PeerIncompatible(_) => {
                f.write_str("the server offers only TLS versions or ciphers that are out of date")
            }
            E::AlertReceived(alert) => match alert.as_str() {
                Some(name) => write!(f, "the server broke it off ({})", words_of(name)),
                None => f.write_str("the server broke it off"),
            },
            E::FailedToGetRandomBytes => f.write_str("the system gave no random numbers"),
            E::FailedToGetCurrentTime => f.write_str("the system gave no time"),
            _ => f.write_str("the server does not keep to the protocol"),
        }
    }
}

/// `HandshakeFailure` as "handshake failure".
fn words_of(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

fn certificate_in_words(why: &CertificateError) -> &'static str {
    use CertificateError as E;
    match why {
        E::Expired | E::ExpiredContext { .. } => {
            "its certificate has expired, or the clock is wrong"
        }
        E::NotValidYet | E::NotValidYetContext { .. } => {
            "its certificate is not valid yet, or the clock is wrong"
        }
        E::Revoked => "its certificate was revoked",
        E::UnknownIssuer => {
            "its certificate was signed by nobody who is trusted here: if a company's CA signed it, set `ca_file`"
        }
        E::NotValidForName | E::NotValidForNameContext { .. } => {
            "its certificate is for another host"
        }
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            "its certificate is not meant for servers"
        }
        E::BadSignature => "a signature of its certificates is wrong",
        E::UnsupportedSignatureAlgorithmContext { .. }
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "a certificate is signed in a way that is not supported: RSA, Ed25519, and ECDSA on P-256, P-384 and P-521 are"
        }
        why if is_cas(why) => {
            "its certificate is a CA's: name that very certificate in `ca_file` to trust it"
        }
        E::Other(why) => match why.0.downcast_ref() {
            Some(webpki::Error::UnsupportedCertVersion) => {
                "its certificate is of version 1, which no server may have: make it anew, with a subjectAltName"
            }
            Some(webpki::Error::UnsupportedCriticalExtension) => {
                "its certificate has a critical extension that is not known here"
            }
            _ => "its certificate cannot be used",
        },
        _ => "its certificate cannot be used",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::AlertDescription;

    #[test]
    fn what_rustls_says_is_put_into_words() {
        let unusable = |why| {
            let why = rustls::OtherError(Arc::new(why));
            rustls::Error::InvalidCertificate(CertificateError::Other(why))
        };
        for (error, words) in [
            (
                rustls::Error::AlertReceived(AlertDescription::HandshakeFailure),
                "the server broke it off (handshake failure)",
            ),
            (
                rustls::Error::AlertReceived(AlertDescription::Unknown(200)),
                "the server broke it off",
            ),
            (
                unusable(webpki::Error::UnsupportedCertVersion),
                "its certificate is of version 1, which no server may have: make it anew, with a subjectAltName",
            ),
            (
                unusable(webpki::Error::BadDer),
                "its certificate cannot be used",
            ),
        ] {
            assert_eq!(InWords(&error).to_string(), words);
        }
    }
}
