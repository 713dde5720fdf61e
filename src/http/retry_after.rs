//! What a reply asks us to wait.

use std::time::{Duration, SystemTime};

use ureq::http::HeaderMap;

const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// By api.video's own header and by the standard one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waits {
    pub(crate) rate_limit_ms: Option<u64>,
    pub(crate) retry_after_ms: Option<u64>,
}

impl Waits {
    pub(crate) fn of(headers: &HeaderMap, now: SystemTime) -> Waits {
        let texts = |name: &str| headers.get_all(name).into_iter();
        let texts = |name| texts(name).filter_map(|value| Some(value.to_str().ok()?.trim()));
        // Both are the server's: its clock may be minutes from ours.
        let now = texts("date").find_map(date).unwrap_or(now);
        let wait = |name| texts(name).find_map(|value| parse_retry_after(value, now));
        Waits {
            rate_limit_ms: wait("x-ratelimit-retry-after"),
            retry_after_ms: wait("retry-after"),
        }
    }
}

/// Seconds, which some servers write as `1.5`, `+3` or `30s`, or a date.
pub(crate) fn parse_retry_after(value: &str, now: SystemTime) -> Option<u64> {
    let number = value.strip_suffix('s').unwrap_or(value);
    let number = number.strip_prefix('+').unwrap_or(number);
    if let Some(ms) = milliseconds(number) {
        return Some(ms);
    }
    // A date that is past asks for nothing more.
    let wait: Duration = date(value)?.duration_since(now).unwrap_or_default();
    Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

/// Of whole seconds, or of a decimal, rounded up to the next second.
fn milliseconds(number: &str) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let more = u64::from(fraction.bytes().any(|b| b != b'0'));
    // What does not fit is longer than any wait.
    let seconds = whole.parse().unwrap_or(u64::MAX).saturating_add(more);
    Some(seconds.saturating_mul(1000))
}

/// A date of HTTP's, also if it names the wrong day of the week, and UTC in place of GMT.
fn date(value: &str) -> Option<SystemTime> {
    let zone = ["UTC", "+0000", "-0000"];
    let start = zone.iter().find_map(|zone| value.strip_suffix(zone));
    let value = start.map_or_else(|| value.to_owned(), |start| format!("{start}GMT"));
    let day = value.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let weekdays = WEEKDAYS.iter().flat_map(|name| [&name[..3], name]);
    httpdate::parse_http_date(&value).ok().or_else(|| {
        weekdays
            .map(|name| format!("{name}{day}"))
            .find_map(|date| httpdate::parse_http_date(&date).ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_in_every_form() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let of = |value: &str| parse_retry_after(value, now);
        assert_eq!(of("0"), Some(0));
        assert_eq!(of("120"), Some(120_000));
        assert_eq!(of("99999999999999999999999"), Some(u64::MAX));
        assert_eq!(of("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60_000));
        assert_eq!(of("Sun, 06 Nov 1994 08:49:37 GMT"), Some(0));
        assert_eq!(of("Sat, 05 Nov 1994 08:49:37 GMT"), Some(0), "past");
        assert_eq!(of("30.5"), Some(31_000));
        assert_eq!(of("12.0001"), Some(13_000));
        assert_eq!(of("12.00"), Some(12_000));
        assert_eq!(of("9007199254740993"), Some(9_007_199_254_740_993_000));
        assert_eq!(of("+3"), Some(3_000));
        assert_eq!(of("30s"), Some(30_000));
        for in_a_minute in [
            "Sunday, 06-Nov-94 08:50:37 GMT",
            "Sun Nov  6 08:50:37 1994",
            "Sun, 06 Nov 1994 08:50:37 UTC",
            "Sun, 06 Nov 1994 08:50:37 +0000",
            "Sunday, 06-Nov-94 08:50:37 UTC",
            "Tue, 06 Nov 1994 08:50:37 GMT",
            "Tuesday, 06-Nov-94 08:50:37 GMT",
            "Tue Nov  6 08:50:37 1994",
            "Tue, 06 Nov 1994 08:50:37 UTC",
        ] {
            assert_eq!(of(in_a_minute), Some(60_000), "{in_a_minute}");
        }
        for garbage in [
            "",
            "-1",
            "soon",
            "1.5.2",
            ".",
            ".5",
            "1e3",
            "0x10",
            "s",
            "+",
            "inf",
            "3 s",
            "Sun, soon",
        ] {
            assert_eq!(of(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn each_header_has_its_own_wait_and_dates_are_the_server_s() {
        let mut headers = HeaderMap::new();
        let waits = |headers: &HeaderMap| Waits::of(headers, SystemTime::now());
        assert_eq!(waits(&headers), Waits::default());
        headers.insert(
            "retry-after",
            "Sun, 06 Nov 1994 08:50:37 GMT".parse().unwrap(),
        );
        headers.insert("x-ratelimit-retry-after", "4".parse().unwrap());
        let mut expected = Waits {
            rate_limit_ms: Some(4_000),
            retry_after_ms: Some(0),
        };
        assert_eq!(waits(&headers), expected, "long past by our clock");
        headers.insert("date", "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        expected.retry_after_ms = Some(60_000);
        assert_eq!(waits(&headers), expected);
        headers.insert("x-ratelimit-retry-after", "?".parse().unwrap());
        expected.rate_limit_ms = None;
        assert_eq!(waits(&headers), expected);
        headers.append("x-ratelimit-retry-after", "9".parse().unwrap());
        headers.append("x-ratelimit-retry-after", "5".parse().unwrap());
        expected.rate_limit_ms = Some(9_000);
        assert_eq!(waits(&headers), expected, "the first that can be read");
    }
}
