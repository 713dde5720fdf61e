//! Times as api.video writes them.

use time::OffsetDateTime;

/// Seconds since 1970 as, for example, `2024-07-14T23:36:07+00:00`.
pub(crate) fn atom(unix: u64) -> String {
    let seconds = i64::try_from(unix).unwrap_or(i64::MAX);
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}+00:00",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_the_api_writes_it() {
        assert_eq!(atom(1_721_000_167), "2024-07-14T23:36:07+00:00");
        assert_eq!(atom(u64::MAX), "1970-01-01T00:00:00+00:00");
    }
}
