//! Whom to trust: the trust anchors in the system's and the program's files of certificates, which
//! are read again when they have changed.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::SystemTime;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::verdict;
use crate::environment;
use crate::ffi::sys::{self, FileId};
use crate::process::fork::PerProcess;
use crate::process::sync::Mutex;

/// How often to look whether files have changed.
const LOOK_EVERY_MS: i64 = 3_600_000;
/// No bundle of certificates is nearly as large.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// Where systems keep their certificates, in one file.
const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/etc/ssl/cert.pem",
    "/opt/etc/ssl/certs/ca-certificates.crt",
];
/// And where in a file each.
const FOLDERS: &[&str] = &["/etc/ssl/certs", "/etc/pki/tls/certs"];

/// Where to find the system's certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sources {
    file: Option<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Sources {
    /// SSL_CERT_FILE and SSL_CERT_DIR of the environment; with either the system's own places do
    /// not count.
    pub(crate) fn of_environment() -> Sources {
        Sources::from(
            environment::variable("SSL_CERT_FILE"),
            environment::variable("SSL_CERT_DIR"),
        )
    }

    fn from(file: Option<OsString>, folders: Option<OsString>) -> Sources {
        let folders = folders.unwrap_or_default();
        // The program may change its folder before the first exchange. No path but "" has no
        // absolute one.
        let absolute = |path: PathBuf| std::path::absolute(path).ok();
        Sources {
            file: file.map(PathBuf::from).and_then(absolute),
            folders: std::env::split_paths(&folders)
                .filter_map(absolute)
                .collect(),
        }
    }

    pub(crate) fn are_of_the_system(&self) -> bool {
        *self == Sources::default()
    }

    /// Windows and Apple's systems judge certificates themselves, by more than files hold. That
    /// may take as long as whoever they ask over the network.
    pub(crate) fn are_the_systems_verifier(&self) -> bool {
        cfg!(any(windows, target_vendor = "apple")) && self.are_of_the_system()
    }

    /// The files as they are now.
    fn files(&self) -> Vec<Seen> {
        if self.are_the_systems_verifier() {
            return Vec::new();
        }
        let bundle = || BUNDLES.iter().map(Path::new).find(|path| path.exists());
        let (file, folders) = match self.are_of_the_system() {
            true => (
                bundle().map(Path::to_owned),
                FOLDERS.iter().map(PathBuf::from).collect(),
            ),
            false => (self.file.clone(), self.folders.clone()),
        };
        let inside = folders
            .iter()
            .filter_map(|folder| fs::read_dir(folder).ok());
        let inside = inside
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()));
        let paths = file.into_iter().chain(inside);
        let mut files: Vec<Seen> = paths.filter_map(Seen::at).collect();
        // Links in a folder lead to files of the folder.
        files.sort_by(|a, b| (&a.id, &a.path).cmp(&(&b.id, &b.path)));
        files.dedup_by(|a, b| a.id == b.id);
        files
    }
}

/// A file, and how to tell whether it has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    path: PathBuf,
    id: FileId,
    changed: Option<SystemTime>,
    length: u64,
}

impl Seen {
    /// Only a file proper: a pipe could keep us waiting for ever, a device give more than there is
    /// memory.
    fn at(path: PathBuf) -> Option<Seen> {
        let now = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        Some(Seen {
            id: sys::file_id(&path, &now)?,
            path,
            changed: now.modified().ok(),
            length: now.len(),
        })
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        File::open(&self.path)?
            .take(LARGEST_FILE + 1)
            .read_to_end(&mut text)?;
        match text.len() as u64 > LARGEST_FILE {
            true => Err(io::Error::other("it is larger than 4 MiB")),
            false => Ok(text),
        }
    }
}

/// The certificates in PEM among whatever else a text holds. One that is broken does not spoil the
/// others.
pub(crate) fn certificates(text: &[u8]) -> Vec<CertificateDer<'static>> {
    const LABELS: [&str; 3] = ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];
    let text = decoded(text);
    let sections = text.split("-----BEGIN ").skip(1).filter_map(|section| {
        let (label, rest) = section.split_once("-----")?;
        let (body, _) = rest.split_once("-----END")?;
        LABELS.contains(&label).then(|| {
            format!(
                "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
                body.trim()
            )
        })
    });
    sections
        .filter_map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).ok())
        // OpenSSL's TRUSTED CERTIFICATE has something of OpenSSL's own after it.
        .filter_map(|der| Some(CertificateDer::from(first_element(&der)?.to_vec())))
        .collect()
}

/// A text in UTF-8, or in UTF-16 if it begins with that one's byte order mark, as PowerShell
/// writes.
fn decoded(text: &[u8]) -> Cow<'_, str> {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.as_chunks().0.iter().map(|pair| unit(*pair)).collect();
        Cow::from(String::from_utf16_lossy(&units))
    };
    match text {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => String::from_utf8_lossy(text),
    }
}

/// The first element of a text in DER, which for a certificate has a length of two bytes or more.
fn first_element(der: &[u8]) -> Option<&[u8]> {
    let (start, length) = match *der {
        [0x30, 0x82, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
        [0x30, 0x81, length, ..] => (3, usize::from(length)),
        _ => return None,
    };
    der.get(..start + length)
}

/// What can be used of the certificates.
fn store<'a>(certificates: impl IntoIterator<Item = &'a CertificateDer<'static>>) -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates.into_iter().cloned());
    store
}

/// A verifier that trusts these; `None` if they are none.
fn verifier(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<dyn ServerCertVerifier>> {
    let verifier =
        WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(provider)).build();
    Some(verifier.ok()?)
}

#[cfg(any(windows, target_vendor = "apple"))]
fn systems_verifier(provider: &Arc<CryptoProvider>) -> Option<Arc<dyn ServerCertVerifier>> {
    let verifier = rustls_platform_verifier::Verifier::new(Arc::clone(provider)).ok()?;
    Some(Arc::new(verifier))
}

#[cfg(not(any(windows, target_vendor = "apple")))]
fn systems_verifier(_: &Arc<CryptoProvider>) -> Option<Arc<dyn ServerCertVerifier>> {
    None
}

/// Trust in what was in some files.
#[derive(Debug)]
pub(crate) struct Roots {
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    /// `None`: nobody is trusted.
    pub(crate) verifier: Option<Arc<dyn ServerCertVerifier>>,
}

/// Roots as they were read, and when to look again.
#[derive(Clone, Debug)]
struct Known {
    roots: Arc<Roots>,
    files: Vec<Seen>,
    looked_at_ms: i64,
}

impl Known {
    fn read(files: Vec<Seen>, now_ms: i64, provider: &Arc<CryptoProvider>, keep: bool) -> Known {
        let texts = files.iter().filter_map(|file| file.read().ok());
        let mut certificates: Vec<_> = texts.flat_map(|text| self::certificates(&text)).collect();
        certificates.sort_unstable_by(|a, b| a.as_ref().cmp(b.as_ref()));
        certificates.dedup();
        let verifier = verifier(store(&certificates), provider);
        // The verifier has what it needs of them.
        certificates.truncate(if keep { certificates.len() } else { 0 });
        certificates.shrink_to_fit();
        Known {
            roots: Arc::new(Roots {
                certificates,
                verifier,
            }),
            files,
            looked_at_ms: now_ms,
        }
    }

    /// Looks at the files again, if it is time for that.
    fn look(
        &mut self,
        files: impl Fn() -> Vec<Seen>,
        now_ms: i64,
        provider: &Arc<CryptoProvider>,
        keep: bool,
    ) {
        let is_usable = self.roots.verifier.is_some();
        if is_usable && now_ms - self.looked_at_ms < LOOK_EVERY_MS {
            return;
        }
        self.looked_at_ms = now_ms;
        let files = files();
        if files != self.files {
            let fresh = Known::read(files, now_ms, provider, keep);
            // What has gone, or is being written, is no reason to trust nobody.
            if fresh.roots.verifier.is_some() || !is_usable {
                *self = fresh;
            }
        }
    }
}

/// The system's certificates of this process, for each place they were looked for in: clients share
/// them.
static SYSTEM: PerProcess<Mutex<Vec<(Sources, Known)>>> = PerProcess::new();

pub(crate) fn of_system(
    sources: &Sources,
    now_ms: i64,
    provider: &Arc<CryptoProvider>,
) -> Arc<Roots> {
    let system = SYSTEM.get(Mutex::default);
    let mut system = system.lock().unwrap_or_else(PoisonError::into_inner);
    let files = || sources.files();
    if let Some((_, known)) = system.iter_mut().find(|(known, _)| known == sources) {
        known.look(files, now_ms, provider, false);
        return Arc::clone(&known.roots);
    }
    let mut known = Known::read(files(), now_ms, provider, false);
    if sources.are_the_systems_verifier() {
        known.roots = Arc::new(Roots {
            certificates: Vec::new(),
            verifier: systems_verifier(provider).map(verdict::InTime::of),
        });
    }
    let roots = Arc::clone(&known.roots);
    system.push((sources.clone(), known));
    roots
}

/// A file of certificates that the program named.
#[derive(Clone, Debug)]
pub(crate) struct CaFile {
    seen: Seen,
    certificates: Vec<CertificateDer<'static>>,
}

impl CaFile {
    /// Reads it, or says what is wrong with it.
    pub(crate) fn read(path: &Path) -> Result<CaFile, String> {
        let cannot = |why: io::Error| format!("cannot be read: {}", sys::words_of(&why));
        fs::metadata(path).map_err(cannot)?;
        // The program may change its folder later.
        let path = std::path::absolute(path).map_err(cannot)?;
        let seen = Seen::at(path).ok_or("is not a file")?;
        let text = seen.read().map_err(cannot)?;
        let certificates = certificates(&text);
        if store(&certificates).is_empty() {
            return Err(instead_of_pem(&text).to_owned());
        }
        Ok(CaFile { seen, certificates })
    }

    pub(crate) fn watched(&self, now_ms: i64, provider: &Arc<CryptoProvider>) -> WatchedCaFile {
        let certificates = self.certificates.clone();
        let verifier = verifier(store(&certificates), provider);
        WatchedCaFile {
            path: self.seen.path.clone(),
            known: Known {
                roots: Arc::new(Roots {
                    certificates,
                    verifier,
                }),
                files: vec![self.seen.clone()],
                looked_at_ms: now_ms,
            },
        }
    }
}

/// What a file holds that holds no certificate in PEM, and what to do.
fn instead_of_pem(text: &[u8]) -> &'static str {
    // The object identifier of signed data, and the version of PKCS #12, where DER has them.
    const SIGNED_DATA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
    const VERSION_3: &[u8] = b"\x02\x01\x03";
    let is_der = text.starts_with(b"\x30\x82");
    let content = text.get(4..).unwrap_or_default();
    if is_der && content.starts_with(VERSION_3) {
        "is in PKCS #12: convert it with `openssl pkcs12 -nokeys`"
    } else if is_der && content.starts_with(SIGNED_DATA) {
        "is in PKCS #7: convert it with `openssl pkcs7 -inform der -print_certs`"
    } else if is_der {
        "is in DER: convert it with `openssl x509 -inform der`"
    } else if text.windows(11).any(|part| part == b"BEGIN PKCS7") {
        "is in PKCS #7: convert it with `openssl pkcs7 -print_certs`"
    } else {
        "holds no certificate in PEM, or only broken ones"
    }
}

/// A CA file that is looked at again.
#[derive(Debug)]
pub(crate) struct WatchedCaFile {
    path: PathBuf,
    known: Known,
}

impl WatchedCaFile {
    pub(crate) fn roots(&mut self, now_ms: i64, provider: &Arc<CryptoProvider>) -> Arc<Roots> {
        let path = &self.path;
        let files = || Seen::at(path.clone()).into_iter().collect();
        self.known.look(files, now_ms, provider, true);
        Arc::clone(&self.known.roots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
    use rustls::crypto::ring;

    const NOON: i64 = 1_000_000_000;

    fn pem() -> String {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        params.self_signed(&key).unwrap().pem()
    }

    fn temporary(name: &str, text: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("apivideo-{name}-{}.pem", std::process::id()));
        fs::write(&path, text).unwrap();
        path
    }

    fn provider() -> Arc<CryptoProvider> {
        Arc::new(ring::default_provider())
    }

    #[test]
    fn what_is_broken_in_a_bundle_does_not_spoil_the_rest() {
        let (first, second) = (pem(), pem());
        let broken = first.replacen("MII", "M!I", 1);
        let cut = first.split_at(300).0;
        let trusted = second.replace("CERTIFICATE", "TRUSTED CERTIFICATE");
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for (text, count) in [
            (String::new(), 0),
            (first.clone(), 1),
            (format!("\u{feff}{first}"), 1),
            (
                format!("  a comment\r\n{}{second}", first.replace('\n', "\r\n")),
                2,
            ),
            (format!("{broken}{cut}\n{key}{second}"), 1),
            (trusted, 1),
        ] {
            assert_eq!(store(&certificates(text.as_bytes())).len(), count, "{text}");
        }
        assert_eq!(certificates(b"\xff-----BEGIN CERTIFICATE-----").len(), 0);
    }

    #[test]
    fn what_powershell_writes_is_read_too() {
        let units = || pem().encode_utf16().collect::<Vec<u16>>().into_iter();
        let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
        assert_eq!(certificates(&[b"\xff\xfe", &little[..]].concat()).len(), 1);
        assert_eq!(certificates(&[b"\xfe\xff", &big[..]].concat()).len(), 1);
        assert_eq!(
            certificates(&[b"\xff\xfe", &little[..99]].concat()).len(),
            0
        );
    }

    #[test]
    fn what_is_no_pem_is_named_with_what_to_do() {
        for (text, words) in [
            (&b"\x30\x82\x09\xa1\x02\x01\x03\x30"[..], "openssl pkcs12"),
            (
                b"\x30\x82\x05\xba\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0",
                "openssl pkcs7 -inform der",
            ),
            (b"\x30\x82\x03\x05\x30\x82", "openssl x509 -inform der"),
            (b"\x30\x82", "openssl x509 -inform der"),
            (b"-----BEGIN PKCS7-----\n", "openssl pkcs7 -print"),
            (b"hello", "no certificate"),
            (b"", "no certificate"),
        ] {
            let path = temporary("no-pem", "");
            fs::write(&path, text).unwrap();
            let why = CaFile::read(&path).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
    }

    #[test]
    fn what_openssl_adds_to_a_certificate_is_left_out() {
        let certificate = certificates(pem().as_bytes()).remove(0);
        let with_more = [certificate.as_ref(), b"\x30\x03\x02\x01\x01"].concat();
        assert_eq!(first_element(&with_more), Some(certificate.as_ref()));
        for none in [&b""[..], b"\x30", b"\x02\x01\x01", &certificate[..100]] {
            assert_eq!(first_element(none), None);
        }
    }

    #[test]
    fn the_environment_names_files_and_folders() {
        let os = |text: &str| Some(OsString::from(text));
        assert!(Sources::from(None, None).are_of_the_system());
        assert!(Sources::from(os(""), os("")).are_of_the_system());
        let root = std::path::absolute("/").unwrap();
        let [file, b, c] = ["a.pem", "b", "c"].map(|name| root.join(name));
        let folders = std::env::join_paths([&b, &c, &PathBuf::new()]).unwrap();
        let sources = Sources::from(Some(file.clone().into()), Some(folders));
        assert_eq!(sources.file, Some(file));
        assert_eq!(sources.folders, [b, c]);
        // Wherever the program goes later.
        let here = std::env::current_dir().unwrap();
        let sources = Sources::from(os("a.pem"), os("b"));
        assert_eq!(sources.file, Some(here.join("a.pem")));
        assert_eq!(sources.folders, [here.join("b")]);
    }

    #[test]
    fn files_that_changed_are_read_again_after_an_hour_and_kept_when_they_go() {
        let path = temporary("changing", &pem());
        let provider = provider();
        let mut known = Known::read(
            Seen::at(path.clone()).into_iter().collect(),
            NOON,
            &provider,
            true,
        );
        let mut look = |now_ms| {
            let files = || Seen::at(path.clone()).into_iter().collect();
            known.look(files, now_ms, &provider, true);
            Arc::clone(&known.roots)
        };
        let first = look(NOON);
        fs::write(&path, pem() + &pem()).unwrap();
        assert!(Arc::ptr_eq(&first, &look(NOON + LOOK_EVERY_MS - 1)));
        let second = look(NOON + LOOK_EVERY_MS);
        assert_eq!(second.certificates.len(), 2);
        assert!(
            Arc::ptr_eq(&second, &look(NOON + 2 * LOOK_EVERY_MS)),
            "unchanged"
        );
        fs::write(&path, "garbage").unwrap();
        assert!(Arc::ptr_eq(&second, &look(NOON + 3 * LOOK_EVERY_MS)));
        fs::remove_file(&path).unwrap();
        assert!(Arc::ptr_eq(&second, &look(NOON + 4 * LOOK_EVERY_MS)));
    }

    #[test]
    fn a_system_without_certificates_is_looked_at_each_time() {
        let provider = provider();
        let mut known = Known::read(Vec::new(), NOON, &provider, false);
        assert!(known.roots.verifier.is_none());
        let path = temporary("installed", &pem());
        known.look(
            || Seen::at(path.clone()).into_iter().collect(),
            NOON,
            &provider,
            false,
        );
        assert!(known.roots.verifier.is_some());
        assert_eq!(known.roots.certificates.len(), 0, "not kept");
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn clients_share_the_system_s_certificates() {
        let sources = Sources::from(Some(temporary("shared", &pem()).into()), None);
        let (first, second) = (
            of_system(&sources, NOON, &provider()),
            of_system(&sources, NOON, &provider()),
        );
        assert!(first.verifier.is_some() && Arc::ptr_eq(&first, &second));
        let other = Sources::from(Some("/nonexistent.pem".into()), None);
        assert!(of_system(&other, NOON, &provider()).verifier.is_none());
        fs::remove_file(sources.file.unwrap()).unwrap();
    }
}
