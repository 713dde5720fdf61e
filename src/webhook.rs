//! The signatures of api.video's webhooks.

use ring::hmac;

/// An HMAC-SHA256.
const LENGTH: usize = 32;

/// Whether `signature`, in hexadecimal, is that of `body` with this secret. Takes the same time
/// wherever the first difference is.
///
/// Never with an empty secret: whoever has not set theirs must not trust everybody.
pub fn verify(secret: &str, body: &[u8], signature: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    match bytes(signature) {
        Some(signature) if !secret.is_empty() => hmac::verify(&key, body, &signature).is_ok(),
        _ => false,
    }
}

fn bytes(hexadecimal: &str) -> Option<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    let digits = hexadecimal.as_bytes();
    if digits.len() != 2 * LENGTH {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 4231, test case 2.
    const SECRET: &str = "Jefe";
    const BODY: &[u8] = b"what do ya want for nothing?";
    const SIGNATURE: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

    #[test]
    fn a_signature_is_that_of_these_bytes_with_this_secret() {
        assert!(verify(SECRET, BODY, SIGNATURE));
        assert!(verify(SECRET, BODY, &SIGNATURE.to_uppercase()));
        assert!(!verify("jefe", BODY, SIGNATURE));
        assert!(!verify(SECRET, &BODY[1..], SIGNATURE));
        for at in 0..SIGNATURE.len() {
            let mut other = SIGNATURE.to_owned();
            let digit = if &SIGNATURE[at..=at] == "0" { "1" } else { "0" };
            other.replace_range(at..=at, digit);
            assert!(!verify(SECRET, BODY, &other), "{other}");
        }
    }

    #[test]
    fn what_is_no_signature_is_none() {
        let short = &SIGNATURE[1..];
        let long = format!("{SIGNATURE}0");
        let sign = format!("+{short}");
        let letters = "é".repeat(LENGTH);
        for other in ["", short, &long, &sign, &letters, &"g".repeat(2 * LENGTH)] {
            assert!(!verify(SECRET, BODY, other), "{other}");
        }
    }

    #[test]
    fn an_empty_secret_signs_nothing() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"");
        let signed = hmac::sign(&key, BODY);
        let signed: String = signed.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        assert!(!verify("", BODY, &signed));
    }
}
