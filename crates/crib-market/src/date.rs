//! Points in time, as registries write them and people say them.

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;

/// Reads `2026-01-31`, `2026-01-31T10:00:00Z`, or a span back from `now`: `7d`, `36h`, `2w`. In seconds since 1970.
#[must_use]
pub fn moment(text: &str, now: u64) -> Option<u64> {
    let text = text.trim();
    let unit = text.chars().last()?;
    let span = match unit {
        'm' => Some(MINUTE),
        'h' => Some(HOUR),
        'd' => Some(DAY),
        'w' => Some(WEEK),
        _ => None,
    };
    match (span, text.strip_suffix(unit).and_then(|number| number.parse::<u64>().ok())) {
        (Some(span), Some(count)) => Some(now.saturating_sub(count.saturating_mul(span))),
        _ => seconds(text),
    }
}

/// Reads RFC 3339, or a date alone.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(['T', 't', ' ']).map_or((text, None), |(date, time)| (date, Some(time)));
    let mut parts = date.splitn(3, '-');
    let (year, month, day) = (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let midnight = days(year, month, day) * DAY;
    time.map_or(Some(midnight), |time| of_day(time).and_then(|second| midnight.checked_add_signed(second)))
}

/// Returns the seconds since midnight in Greenwich.
fn of_day(time: &str) -> Option<i64> {
    let at = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = time.split_at_checked(at)?;
    let mut parts = clock.split('.').next()?.splitn(3, ':');
    let (hour, minute, second) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let offset = match zone.split_at_checked(1)? {
        ("+", zone) => shift(zone)?,
        ("-", zone) => -shift(zone)?,
        (_, "") => 0,
        _ => return None,
    };
    Some(i64::try_from(hour * HOUR + minute * MINUTE + second).ok()? - offset)
}

fn shift(zone: &str) -> Option<i64> {
    let (hours, minutes) = zone.split_once(':')?;
    i64::try_from(number(hours, 2)? * HOUR + number(minutes, 2)? * MINUTE).ok()
}

fn number(text: &str, digits: usize) -> Option<u64> {
    if text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Returns the days since 1970, by counting years from March, so that leap days come last.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let of_year = (153 * month + 2) / 5 + day - 1;
    // 719 468 days lie between the first of March of the year 0 and 1970.
    (year * 365 + year / 4 - year / 100 + year / 400 + of_year).saturating_sub(719_468)
}

/// Writes RFC 3339, which is what registries are asked with.
pub(crate) fn rfc3339(seconds: u64) -> String {
    let (day, rest) = (seconds / DAY + 719_468, seconds % DAY);
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / HOUR, rest % HOUR / MINUTE, rest % MINUTE)
}

/// Says how long something was: `3 days`.
#[must_use]
pub fn ago(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..MINUTE => (seconds, "second"),
        MINUTE..HOUR => (seconds / MINUTE, "minute"),
        HOUR..DAY => (seconds / HOUR, "hour"),
        DAY.. => (seconds / DAY, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_and_written() {
        for (text, at) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-21T09:41:19Z", 1_795_254_079),
            ("2026-11-21T10:41:19.123456+01:00", 1_795_254_079),
            ("2024-02-29", 1_709_164_800),
            ("2000-03-01T00:00:00z", 951_868_800),
        ] {
            assert_eq!(seconds(text), Some(at), "{text}");
        }
        for at in [0, 951_782_400, 951_868_799, 1_709_164_800, 1_795_254_079, 4_102_444_800] {
            assert_eq!(seconds(&rfc3339(at)), Some(at));
        }
        for text in ["", "2026", "2026-13-01", "yesterday", "2026-01-01T25:00:00Z", "2026-1-1", "\u{e9}", "2026-01-01Té"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn spans_go_back_from_now() {
        assert_eq!(moment("7d", 1_000_000), Some(1_000_000 - 604_800));
        assert_eq!(moment("2w", 0), Some(0));
        assert_eq!(moment("1.5d", 0), None);
        assert_eq!((ago(59).as_str(), ago(3600).as_str(), ago(200_000).as_str()), ("59 seconds", "1 hour", "2 days"));
    }
}
