//! A record as a text that tells nothing: sealed with a key that comes from the API key.
//!
//! ChaCha20-Poly1305, under a key derived by HKDF from the API key, the server's URL and the
//! format. The name is derived in the same way, so neither tells anything about the key. Name and
//! version are authenticated with the text: a record does not open under another name or as another
//! version.

use std::sync::Arc;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use zeroize::Zeroize;

use crate::cache::record::{Lease, Record, Refusal, SharedToken};
use crate::clock::Now;
use crate::error::{Error, Status};
use crate::ffi::registers::forget_copied;
use crate::ffi::secret::{Secret, SecretBytes};
use crate::text::is_visible;

/// Another format has other keys and names, so that programs of different versions share nothing
/// rather than misunderstand each other.
const FORMAT: &[u8] = b"libapivideo shared token, format 1";
const NAME_BYTES: usize = 16;

/// Seals and opens the records of one API key.
pub(crate) struct Seal {
    /// Out of core dumps, but while something is sealed or opened.
    key: SecretBytes,
    name: String,
}

struct NameLength;

impl KeyType for NameLength {
    fn len(&self) -> usize {
        NAME_BYTES
    }
}

impl Seal {
    pub(crate) fn new(api_key: &str, base_url: &str) -> Seal {
        let secret = Salt::new(HKDF_SHA256, FORMAT).extract(api_key.as_bytes());
        forget_copied();
        Seal {
            key: seal_key(&secret, base_url),
            name: name(&secret, base_url),
        }
    }

    /// Hexadecimal digits, after `apivideo-`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The sealed record.
    pub(crate) fn close(&self, version: u64, record: &Record) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| no_seal("the system has no random numbers"))?;
        let key = self.key().ok_or_else(|| no_seal("there is no key"))?;
        let mut text = encode(record);
        let aad = self.associated(version);
        let sealed = key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(aad),
            &mut text,
        );
        sealed.map_err(|_| no_seal("it cannot be sealed"))?;
        Ok([nonce.as_slice(), &text].concat())
    }

    /// The record, if it is one, and for this key, name and version.
    pub(crate) fn open(&self, version: u64, mut sealed: Vec<u8>) -> Option<Record> {
        let (nonce, text) = sealed.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let aad = Aad::from(self.associated(version));
        let plain = self.key()?.open_in_place(nonce, aad, text).ok()?;
        let record = decode(plain);
        sealed.zeroize();
        record
    }

    /// On the heap, where it is wiped when it is dropped.
    fn key(&self) -> Option<Box<LessSafeKey>> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, self.key.as_slice()).ok()?;
        Some(Box::new(LessSafeKey::new(key)))
    }

    fn associated(&self, version: u64) -> Vec<u8> {
        [self.name.as_bytes(), &version.to_be_bytes()].concat()
    }
}

/// Empty if it cannot be derived.
fn seal_key(secret: &Prk, base_url: &str) -> SecretBytes {
    let info = [b"seal ".as_slice(), base_url.as_bytes()];
    let mut key = SecretBytes::zeroed(CHACHA20_POLY1305.key_len());
    let derived = secret
        .expand(&info, &CHACHA20_POLY1305)
        .and_then(|okm| okm.fill(key.as_mut_slice()));
    match derived {
        Ok(()) => key,
        Err(_) => SecretBytes::zeroed(0),
    }
}

fn name(secret: &Prk, base_url: &str) -> String {
    let info = [b"name ".as_slice(), base_url.as_bytes()];
    let mut bytes = [0; NAME_BYTES];
    // Lengths are right: it does not fail.
    let _ = secret
        .expand(&info, NameLength)
        .map(|okm| okm.fill(&mut bytes));
    let hex = |byte: &u8| format!("{byte:02x}");
    format!("apivideo-{}", bytes.iter().map(hex).collect::<String>())
}

fn no_seal(why: &str) -> Error {
    Error::new(
        Status::SystemError,
        format!("The token was not put into the store: {why}."),
    )
}

// --- The text that is sealed: numbers of 8 bytes, the least significant first ---

pub(crate) fn encode(record: &Record) -> Vec<u8> {
    let mut text = Vec::with_capacity(2048);
    let mut put = |number: i64| text.extend(number.to_le_bytes());
    for number in [record.boot, record.fence, record.withdrawn] {
        put(number.cast_signed());
    }
    let moment = |now: Now| [now.wall_ms, now.mono_ms];
    let parts = [
        record.replaced_at.map(|at| moment(at).to_vec()),
        record.lease.map(|lease| {
            let [wall, mono] = moment(lease.until);
            vec![lease.holder.cast_signed(), wall, mono]
        }),
        record.refusal.map(|refusal| {
            let [wall, mono] = moment(refusal.until);
            vec![refusal.status as i64, wall, mono, refusal.count.into()]
        }),
    ];
    for part in parts {
        put(part.is_some().into());
        part.into_iter().flatten().for_each(&mut put);
    }
    put(record.token.is_some().into());
    if let Some(token) = &record.token {
        let [renew_wall, renew_mono] = moment(token.renew_at);
        let [expires_wall, expires_mono] = moment(token.expires);
        let fence = token.fence.cast_signed();
        let numbers = [
            fence,
            token.lifetime_ms,
            renew_wall,
            renew_mono,
            expires_wall,
            expires_mono,
        ];
        numbers.into_iter().for_each(&mut put);
        text.extend(token.access_token.as_str().as_bytes());
    }
    text
}

pub(crate) fn decode(text: &[u8]) -> Option<Record> {
    let mut reader = Reader(text);
    let [boot, fence, withdrawn] = reader.numbers()?;
    let replaced_at = match reader.is_some()? {
        true => Some(reader.moment()?),
        false => None,
    };
    let lease = match reader.is_some()? {
        true => Some(Lease {
            holder: reader.number()?.cast_unsigned(),
            until: reader.moment()?,
        }),
        false => None,
    };
    let refusal = match reader.is_some()? {
        true => Some(Refusal {
            status: refused_by(reader.number()?)?,
            until: reader.moment()?,
            count: u32::try_from(reader.number()?).ok()?,
        }),
        false => None,
    };
    let token = match reader.is_some()? {
        true => Some(Arc::new(reader.token()?)),
        false => None,
    };
    Some(Record {
        boot: boot.cast_unsigned(),
        fence: fence.cast_unsigned(),
        withdrawn: withdrawn.cast_unsigned(),
        token,
        replaced_at,
        lease,
        refusal,
    })
}

/// Only these are anything that all should know.
fn refused_by(number: i64) -> Option<Status> {
    let status = Status::from_number(i32::try_from(number).ok()?)?;
    let shared = [
        Status::KeyRejected,
        Status::RateLimited,
        Status::ServerError,
    ];
    shared.contains(&status).then_some(status)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Option<i64> {
        let (number, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(i64::from_le_bytes(*number))
    }

    fn numbers<const N: usize>(&mut self) -> Option<[i64; N]> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            *number = self.number()?;
        }
        Some(numbers)
    }

    fn is_some(&mut self) -> Option<bool> {
        match self.number()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn moment(&mut self) -> Option<Now> {
        let [wall_ms, mono_ms] = self.numbers()?;
        Some(Now { wall_ms, mono_ms })
    }

    /// The token is the rest: visible ASCII, as in a header.
    fn token(&mut self) -> Option<SharedToken> {
        let [fence, lifetime_ms] = self.numbers()?;
        let (renew_at, expires) = (self.moment()?, self.moment()?);
        let text = std::str::from_utf8(self.0).ok()?;
        is_visible(text).then(|| SharedToken {
            fence: fence.cast_unsigned(),
            access_token: Secret::new(text),
            lifetime_ms,
            renew_at,
            expires,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now {
        wall_ms: 1_700_000_000_000,
        mono_ms: 5_000,
    };
    const URL: &str = "https://ws.api.video";

    fn records() -> [Record; 3] {
        let full = Record {
            boot: u64::MAX,
            fence: 1_700_000_000_123,
            token: Some(Arc::new(SharedToken {
                fence: 1_700_000_000_122,
                access_token: Secret::new("eyJ.canary.token"),
                lifetime_ms: 3_600_000,
                renew_at: NOW.plus(1),
                expires: NOW.plus(2),
            })),
            withdrawn: 7,
            replaced_at: Some(NOW.plus(-3)),
            lease: Some(Lease {
                holder: u64::MAX - 1,
                until: NOW.plus(4),
            }),
            refusal: Some(Refusal {
                status: Status::RateLimited,
                until: NOW.plus(5),
                count: 6,
            }),
        };
        let leased = Record {
            token: None,
            refusal: None,
            ..full.clone()
        };
        [full, leased, Record::default()]
    }

    #[test]
    fn what_was_sealed_opens_again() {
        let seal = Seal::new("key", URL);
        for record in records() {
            let sealed = seal.close(9, &record).unwrap();
            assert_eq!(seal.open(9, sealed), Some(record));
        }
    }

    #[test]
    fn it_opens_with_that_key_for_that_server_and_as_that_version_only() {
        let [record, ..] = records();
        let sealed = Seal::new("key", URL).close(9, &record).unwrap();
        for (key, url, version) in [
            ("Key", URL, 9),
            ("key", "https://sandbox.api.video", 9),
            ("key", URL, 8),
        ] {
            let seal = Seal::new(key, url);
            assert_eq!(seal.open(version, sealed.clone()), None, "{key} {url}");
        }
    }

    #[test]
    fn no_bit_of_it_can_be_changed_and_no_byte_left_out() {
        let seal = Seal::new("key", URL);
        let [record, ..] = records();
        let sealed = seal.close(9, &record).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(seal.open(9, changed), None);
            assert_eq!(seal.open(9, sealed[..at].to_vec()), None);
        }
    }

    #[test]
    fn names_differ_by_key_and_server_and_tell_neither() {
        let names: Vec<String> = [("canary", URL), ("canary2", URL), ("canary", "https://b")]
            .map(|(key, url)| Seal::new(key, url).name().to_owned())
            .to_vec();
        assert_eq!(names[0], Seal::new("canary", URL).name());
        assert!(names[0] != names[1] && names[0] != names[2] && names[1] != names[2]);
        assert!(
            names
                .iter()
                .all(|name| name.len() == 41 && !name.contains("canary"))
        );
    }

    #[test]
    fn two_sealings_of_one_record_differ_and_show_no_token() {
        let seal = Seal::new("key", URL);
        let [record, ..] = records();
        let [one, other] = [(); 2].map(|()| seal.close(9, &record).unwrap());
        assert_ne!(one, other);
        assert!(!one.windows(6).any(|window| window == b"canary"));
    }

    #[test]
    fn the_format_is_what_it_was() {
        // Programs of different versions of this library share files: a change needs a new format.
        assert_eq!(Seal::new("key", URL).name(), NAME_OF_FORMAT_1);
        let [full, ..] = records();
        assert_eq!(
            encode(&full).len(),
            8 * (3 + 1 + 2 + 1 + 3 + 1 + 4 + 1 + 6) + 16
        );
    }

    const NAME_OF_FORMAT_1: &str = "apivideo-55b226f4f32919c7a31d14f9013e9ece";

    #[test]
    fn what_no_program_wrote_is_no_record() {
        let [full, ..] = records();
        let text = encode(&full);
        for end in 0..text.len() - 16 {
            assert_eq!(decode(&text[..end]), None, "{end}");
        }
        let with = |at: usize, number: i64| {
            let mut text = text.clone();
            text[8 * at..8 * (at + 1)].copy_from_slice(&number.to_le_bytes());
            decode(&text)
        };
        assert_eq!(with(3, 2), None, "neither there nor not");
        assert_eq!(with(11, Status::Internal as i64), None, "no refusal");
        assert_eq!(with(14, -1), None, "a count below 0");
        let mut space = text.clone();
        space[text.len() - 1] = b' ';
        assert_eq!(decode(&space), None, "no header may carry it");
    }
}
