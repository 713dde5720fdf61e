//! Whom a client trusts: certificates of every kind, in every kind of file, and what is said when
//! one will not do.

#![allow(clippy::unwrap_used)] // A test that panics has failed.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use apivideo::{Client, Config, Error, Status};
use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{HandshakeKind, NamedGroup, ServerConfig, ServerConnection, StreamOwned};

/// A server that grants a token to each request.
struct Server {
    url: String,
    /// How the handshakes went.
    seen: Arc<Mutex<Vec<HandshakeKind>>>,
}

impl Server {
    fn start(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Server {
        Server::with(rustls::crypto::ring::default_provider(), chain, key)
    }

    fn with(
        provider: CryptoProvider,
        chain: Vec<CertificateDer<'static>>,
        key: &KeyPair,
    ) -> Server {
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!(
            "https://localhost:{}",
            listener.local_addr().unwrap().port()
        );
        let seen: Arc<Mutex<Vec<_>>> = Arc::default();
        let kinds = Arc::clone(&seen);
        thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, tcp);
                // A client that does not trust us goes away.
                let mut request = [0; 4096];
                if stream.read(&mut request).is_err() {
                    continue;
                }
                kinds.lock().extend(stream.conn.handshake_kind());
                let body = r#"{"access_token":"a","expires_in":3600}"#;
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                let _ = stream.write_all((head + body).as_bytes());
                stream.conn.send_close_notify();
                let _ = stream.flush();
                // To close with something unread would reset the connection, and lose the reply.
                while matches!(stream.read(&mut request), Ok(1..)) {}
            }
        });
        Server { url, seen }
    }
}

fn params(is_ca: bool) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    if is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

/// A file that lives until the test's end.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> File {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("trust-{name}.pem"));
        std::fs::write(&path, text).unwrap();
        File(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn client(server: &Server, ca_file: &File) -> Client {
    let mut config = Config::default();
    config.set_base_url(&server.url).unwrap();
    config.set_ca_file(ca_file.0.to_str().unwrap()).unwrap();
    Client::new("key", &config).unwrap()
}

fn first_token(server: &Server, ca_file: &File) -> Result<(), Error> {
    client(server, ca_file).get_token().map(drop)
}

#[test]
fn a_second_exchange_resumes_the_tls_session() {
    let key = KeyPair::generate().unwrap();
    let certificate = params(false).self_signed(&key).unwrap();
    let server = Server::start(vec![certificate.der().clone()], &key);
    let file = File::new("resumed", &certificate.pem());
    let client = client(&server, &file);
    client.authenticate().unwrap();
    client.authenticate().unwrap();
    assert_eq!(
        *server.seen.lock(),
        [HandshakeKind::Full, HandshakeKind::Resumed]
    );
}

#[test]
fn a_server_that_wants_another_key_exchange_is_asked_again_once() {
    let key = KeyPair::generate().unwrap();
    let certificate = params(false).self_signed(&key).unwrap();
    let mut provider = rustls::crypto::ring::default_provider();
    provider
        .kx_groups
        .retain(|group| group.name() == NamedGroup::X25519);
    let server = Server::with(provider, vec![certificate.der().clone()], &key);
    let file = File::new("key-exchange", &certificate.pem());
    let client = client(&server, &file);
    client.authenticate().unwrap();
    client.authenticate().unwrap();
    assert_eq!(
        *server.seen.lock(),
        [
            HandshakeKind::FullWithHelloRetryRequest,
            HandshakeKind::Resumed
        ]
    );
}

#[test]
fn a_self_signed_certificate_is_trusted_for_itself_even_if_it_is_a_cas() {
    for is_ca in [false, true] {
        let key = KeyPair::generate().unwrap();
        let certificate = params(is_ca).self_signed(&key).unwrap();
        let server = Server::start(vec![certificate.der().clone()], &key);
        let trusted = File::new(&format!("self-signed-{is_ca}"), &certificate.pem());
        first_token(&server, &trusted).unwrap();

        let other_key = KeyPair::generate().unwrap();
        let other = params(is_ca).self_signed(&other_key).unwrap();
        let untrusted = File::new(&format!("other-{is_ca}"), &other.pem());
        let error = first_token(&server, &untrusted).unwrap_err();
        assert_eq!(error.status, Status::TlsError, "{error}");
    }
}

#[test]
fn a_trusted_ca_as_a_server_must_be_in_time_and_have_the_name() {
    let day = std::time::Duration::from_secs(86_400);
    let mut expired = params(true);
    expired.not_before = (std::time::SystemTime::now() - 2 * day).into();
    expired.not_after = (std::time::SystemTime::now() - day).into();
    let mut renamed = params(true);
    renamed.subject_alt_names = CertificateParams::new(vec!["other.test".to_owned()])
        .unwrap()
        .subject_alt_names;
    for (name, params, words) in [
        ("expired", expired, "has expired"),
        ("renamed", renamed, "another host"),
    ] {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let server = Server::start(vec![certificate.der().clone()], &key);
        let error = first_token(&server, &File::new(name, &certificate.pem())).unwrap_err();
        assert_eq!(error.status, Status::TlsError, "{error}");
        assert!(error.message.contains(words), "{error}");
    }
}

#[test]
fn a_ca_file_may_hold_broken_and_foreign_things_and_openssls_own_form() {
    let ca = CertifiedIssuer::self_signed(params(true), KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = Server::start(
        vec![params(false).signed_by(&key, &ca).unwrap().der().clone()],
        &key,
    );
    let good = ca.pem();
    let broken = good.replacen("MII", "M!I", 1);
    for (name, text) in [
        ("after-a-broken-one", format!("{broken}{good}")),
        ("bom", format!("\u{feff}{good}")),
        (
            "trusted",
            good.replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
        ),
    ] {
        let token = first_token(&server, &File::new(name, &text));
        assert!(token.is_ok(), "{name}: {token:?}");
    }
    let file = File::new("broken", &broken);
    let error = Config::default()
        .set_ca_file(file.0.to_str().unwrap())
        .unwrap_err();
    assert!(error.message.contains("only broken ones"), "{error}");
}

#[test]
fn a_companys_ca_may_be_on_any_curve_with_any_hash() {
    let read = |name: &str| {
        let path = format!("{}/tests/trust/{name}.pem", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    };
    let key = KeyPair::from_pem(&read("key")).unwrap();
    for kind in [
        "P-256-sha512",
        "P-384-sha512",
        "P-521-sha256",
        "P-521-sha384",
        "P-521-sha512",
    ] {
        let both = read(kind);
        let server = CertificateDer::from_pem_slice(both.as_bytes()).unwrap();
        let ca = both.split_inclusive("END CERTIFICATE-----").nth(1).unwrap();
        // One bit of the signature, which is at the end.
        let mut forged = server.to_vec();
        *forged.last_mut().unwrap() ^= 1;
        let file = File::new(kind, ca);
        let token = first_token(&Server::start(vec![server], &key), &file);
        assert!(token.is_ok(), "{kind}: {token:?}");
        let error = first_token(&Server::start(vec![forged.into()], &key), &file).unwrap_err();
        assert!(error.message.contains("signature"), "{kind}: {error}");
    }
}

#[test]
fn a_server_that_nobody_knows_is_told_in_words() {
    let key = KeyPair::generate().unwrap();
    let server = Server::start(
        vec![params(false).self_signed(&key).unwrap().der().clone()],
        &key,
    );
    let mut config = Config::default();
    config.set_base_url(&server.url).unwrap();
    let error = Client::new("key", &config)
        .unwrap()
        .get_token()
        .unwrap_err();
    assert_eq!(error.status, Status::TlsError, "{error}");
    for what_to_do in ["signed by nobody who is trusted here", "`ca_file`"] {
        assert!(error.message.contains(what_to_do), "{error}");
    }
    assert!(!error.message.contains("UnknownIssuer"), "{error}");
}

/// What a program with this environment says of its first token: `in_another_environment`, alone.
fn said_with(variables: &[(&str, &str)]) -> String {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args([
        "--exact",
        "in_another_environment",
        "--ignored",
        "--nocapture",
    ]);
    for name in [
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
        "no_proxy",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ] {
        program.env_remove(name);
    }
    let output = program.envs(variables.iter().copied()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
#[ignore = "part of others"]
fn in_another_environment() {
    let mut config = Config::default();
    // No such host, and nobody there if there were.
    config
        .set_base_url(
            &std::env::var("TEST_URL").unwrap_or("https://api.video.invalid:1".to_owned()),
        )
        .unwrap();
    let client = Client::new("key", &config).unwrap();
    match client.get_token() {
        Ok(_) => println!("a token"),
        Err(error) => println!("{:?}: {error}", error.status),
    }
}

#[test]
fn without_any_certificates_the_message_names_the_package() {
    let none = [
        ("SSL_CERT_FILE", "/nonexistent"),
        ("TEST_URL", "https://127.0.0.1:1"),
    ];
    let said = said_with(&none);
    assert!(
        said.contains("TlsError") && said.contains("SSL_CERT_FILE and SSL_CERT_DIR"),
        "{said}"
    );
}

#[test]
fn ssl_cert_file_and_dir_say_whom_to_trust() {
    let ca = CertifiedIssuer::self_signed(params(true), KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = Server::start(
        vec![params(false).signed_by(&key, &ca).unwrap().der().clone()],
        &key,
    );
    let file = File::new("of-environment", &ca.pem());
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("trust-folder");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("ca.pem"), ca.pem()).unwrap();
    for variable in [
        ("SSL_CERT_FILE", file.0.to_str().unwrap()),
        ("SSL_CERT_DIR", folder.to_str().unwrap()),
    ] {
        let said = said_with(&[variable, ("TEST_URL", &server.url)]);
        assert!(said.contains("a token"), "{variable:?}: {said}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_proxy_of_the_environment_that_is_none_is_an_error_of_the_exchange_unless_it_is_not_for_us() {
    let bad = ("HTTPS_PROXY", "http://me:hush@[::1");
    let said = said_with(&[bad]);
    assert!(
        // Windows' names of variables are the same in small letters.
        said.contains("NetworkError") && said.to_uppercase().contains("HTTPS_PROXY"),
        "{said}"
    );
    assert!(!said.contains("hush"), "{said}");
    let said = said_with(&[bad, ("NO_PROXY", "video.invalid")]);
    assert!(said.contains("does not resolve"), "{said}");
}
