//! Whatever a Retry-After header says, the wait is a second at least and ten minutes at most.
#![no_main]

use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &str| {
    let value = value.trim();
    // 6 November 1994, 08:49:37 GMT: the seeds' dates are about then.
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    let result = apivideo::fuzz::retry_after(value, now);
    if let Some((asked, taken)) = result {
        assert!((1_000..=600_000).contains(&taken));
        assert!(u128::from(asked) >= taken as u128 || taken == 1_000);
    }
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    if digits {
        let seconds: u128 = match value.trim_start_matches('0') {
            "" => 0,
            long if long.len() > 30 => u128::MAX / 1_000,
            number => number.parse().unwrap(),
        };
        let (asked, taken) = result.expect("a number of seconds");
        assert_eq!(u128::from(asked), (seconds * 1_000).min(u64::MAX.into()));
        assert_eq!(taken as u128, (seconds * 1_000).clamp(1_000, 600_000));
    } else if result.is_some() {
        assert!(value.is_ascii(), "a date is ASCII");
    }
});
