//! What the system's verifier says of a server's certificate.
//!
//! It may ask others over the network, for 10 s and longer, and nobody can interrupt it. So for a
//! host and process it judges one certificate at a time, and an exchange waits no longer than it
//! may; the next one has the verdict.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, OtherError, SignatureScheme};

use super::in_time::{NoResult, Works};
use crate::process::fork::PerProcess;

/// What a verdict is about, but for the name.
#[derive(Clone, PartialEq, Eq)]
struct Evidence {
    server: CertificateDer<'static>,
    intermediates: Vec<CertificateDer<'static>>,
    ocsp: Vec<u8>,
}

#[derive(Clone)]
struct Verdict {
    of: Evidence,
    /// A good one says no more than that.
    is: Result<(), Error>,
}

/// Of this process.
static VERDICTS: PerProcess<Works<Verdict>> = PerProcess::new();

/// A refusal, too, is worth keeping: to be told it took long.
fn verdicts() -> Works<Verdict> {
    Works::new("apivideo-verify", |_| true)
}

thread_local! {
    /// rustls tells a verifier no deadline: until when the exchange of this thread may wait.
    static UNTIL: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Does this with a deadline for [`InTime`].
pub(crate) fn until<T>(until: Instant, handshake: impl FnOnce() -> T) -> T {
    let before = UNTIL.replace(Some(until));
    let result = handshake();
    UNTIL.set(before);
    result
}

/// The system's verifier, whose verdict is waited for no longer than [`until`] says.
#[derive(Debug)]
pub(crate) struct InTime(Arc<dyn ServerCertVerifier>);

impl InTime {
    pub(crate) fn of(system: Arc<dyn ServerCertVerifier>) -> Arc<dyn ServerCertVerifier> {
        Arc::new(InTime(system))
    }

    fn judge(
        &self,
        verdicts: &Works<Verdict>,
        evidence: &Evidence,
        name: &ServerName,
        now: UnixTime,
    ) -> Result<(), Error> {
        // Without a deadline nobody waits.
        let until = UNTIL.get().unwrap_or_else(Instant::now);
        loop {
            let (system, of, name_of) = (Arc::clone(&self.0), evidence.clone(), name.to_owned());
            let work = move || {
                let is = of.judged_by(&*system, &name_of, now);
                Verdict { of, is }
            };
            let verdict = verdicts.result(&name.to_str(), until, work);
            let verdict = verdict.map_err(not_judged)?;
            // What was under way may have been about another certificate of the host.
            if verdict.of == *evidence {
                return verdict.is;
            }
        }
    }
}

impl Evidence {
    fn judged_by(
        &self,
        system: &dyn ServerCertVerifier,
        name: &ServerName,
        now: UnixTime,
    ) -> Result<(), Error> {
        let (server, others) = (&self.server, &self.intermediates);
        let verdict = system.verify_server_cert(server, others, name, &self.ocsp, now);
        verdict.map(drop)
    }
}

impl ServerCertVerifier for InTime {
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let owned = |certificate: &CertificateDer| CertificateDer::from(certificate.to_vec());
        let evidence = Evidence {
            server: owned(server),
            intermediates: intermediates.iter().map(owned).collect(),
            ocsp: ocsp.to_vec(),
        };
        self.judge(VERDICTS.get(verdicts), &evidence, name, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Why the system has not judged, on its way through rustls.
#[derive(Debug)]
struct NotJudged(NoResult);

impl fmt::Display for NotJudged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not judged: {:?}", self.0)
    }
}

impl std::error::Error for NotJudged {}

fn not_judged(why: NoResult) -> Error {
    Error::Other(OtherError(Arc::new(NotJudged(why))))
}

/// Why the system has not judged, if that is what this says.
pub(crate) fn missing(why: &Error) -> Option<NoResult> {
    match why {
        Error::Other(other) => Some(other.0.downcast_ref::<NotJudged>()?.0),
        _ => None,
    }
}

/// The same, of a handshake.
pub(crate) fn missing_in(why: &io::Error) -> Option<NoResult> {
    missing(why.get_ref()?.downcast_ref()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, mpsc};
    use std::time::Duration;

    use rustls::CertificateError::{Expired, Revoked};

    /// A system that judges when it is told to: a certificate of one byte 1 is good.
    #[derive(Debug)]
    struct Slow {
        go: Mutex<mpsc::Receiver<()>>,
        asked: Arc<AtomicUsize>,
    }

    impl ServerCertVerifier for Slow {
        fn verify_server_cert(
            &self,
            server: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let told = self.go.lock().unwrap().recv();
            match (told, server.as_ref()) {
                (Err(_), _) => panic!("on purpose"),
                (_, [1]) => Ok(ServerCertVerified::assertion()),
                _ => Err(Revoked.into()),
            }
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(Expired.into())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(Expired.into())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            vec![SignatureScheme::ED25519]
        }
    }

    struct System {
        verifier: InTime,
        verdicts: Works<Verdict>,
        go: mpsc::Sender<()>,
        asked: Arc<AtomicUsize>,
    }

    impl System {
        fn new() -> System {
            let (go, told) = mpsc::channel();
            let asked = Arc::<AtomicUsize>::default();
            let slow = Slow {
                go: Mutex::new(told),
                asked: Arc::clone(&asked),
            };
            System {
                verifier: InTime(Arc::new(slow)),
                verdicts: verdicts(),
                go,
                asked,
            }
        }

        /// Its verdict of the certificate of this byte.
        fn verdict(&self, byte: u8, limit: Duration) -> Result<(), Error> {
            let evidence = Evidence {
                server: CertificateDer::from(vec![byte]),
                intermediates: Vec::new(),
                ocsp: Vec::new(),
            };
            let name = ServerName::try_from("host.test.invalid").unwrap();
            let judge = || {
                let (verdicts, now) = (&self.verdicts, UnixTime::now());
                self.verifier.judge(verdicts, &evidence, &name, now)
            };
            until(Instant::now() + limit, judge)
        }
    }

    const AT_ONCE: Duration = Duration::ZERO;
    const SOON: Duration = Duration::from_secs(20);

    fn why_none(verdict: Result<(), Error>) -> Option<NoResult> {
        missing(&verdict.unwrap_err())
    }

    #[test]
    fn exchanges_wait_for_one_verdict_whose_late_coming_is_no_loss() {
        for (byte, verdict) in [(1, Ok(())), (2, Err(Revoked.into()))] {
            let system = System::new();
            for _ in 0..3 {
                let none = why_none(system.verdict(byte, AT_ONCE));
                assert_eq!(none, Some(NoResult::TimedOut));
            }
            system.go.send(()).unwrap();
            system.verdicts.settle("host.test.invalid");
            assert_eq!(system.verdict(byte, SOON), verdict);
            assert_eq!(system.asked.load(Ordering::SeqCst), 1);
        }
    }

    #[test]
    fn a_verdict_is_of_one_certificate() {
        let system = System::new();
        let none = why_none(system.verdict(1, AT_ONCE));
        assert_eq!(none, Some(NoResult::TimedOut));
        for _ in 0..2 {
            system.go.send(()).unwrap();
        }
        assert_eq!(system.verdict(2, SOON), Err(Revoked.into()));
        assert_eq!(system.asked.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_verifier_that_panics_has_not_run_out_of_time() {
        let mut system = System::new();
        system.go = mpsc::channel().0;
        let none = why_none(system.verdict(1, SOON));
        assert_eq!(none, Some(NoResult::Failed));
    }

    #[test]
    fn the_deadline_ends_with_the_handshake() {
        let system = System::new();
        system.verdict(1, AT_ONCE).unwrap_err();
        assert_eq!(UNTIL.get(), None);
    }
}
