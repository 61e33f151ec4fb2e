//! Times as trusted roots and timestamps write them.

const DAY: u64 = 24 * 3600;

/// Reads `2021-03-07T03:20:29Z` as seconds since 1970.
pub(super) fn read(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.split('.').next()?.splitn(3, ':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    seconds([year, month, day], [hour, minute, second])
}

/// Reads `20210307032029Z`.
pub(super) fn read_generalized(text: &str) -> Option<u64> {
    let digits = text.strip_suffix('Z')?.split('.').next().filter(|digits| digits.len() == 14 && digits.is_ascii())?;
    let part = |from: usize, to: usize| digits.get(from..to)?.parse::<u64>().ok();
    seconds([part(0, 4)?, part(4, 6)?, part(6, 8)?], [part(8, 10)?, part(10, 12)?, part(12, 14)?])
}

fn seconds([year, month, day]: [u64; 3], [hour, minute, second]: [u64; 3]) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // March is the first month, so that a leap day is the last of a year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let since = days.checked_sub(719_468)?;
    Some(since * DAY + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_read_to_the_second() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2021-01-12T11:53:27Z", Some(1_610_452_407)),
            ("2022-10-31T23:59:59.999Z", Some(1_667_260_799)),
            ("2024-02-29T12:00:00Z", Some(1_709_208_000)),
            ("2024-02-29", None),
            ("2024-13-01T00:00:00Z", None),
            ("x", None),
        ] {
            assert_eq!(super::read(text), seconds, "{text}");
        }
        assert_eq!(super::read_generalized("20210112115327Z"), Some(1_610_452_407));
        assert_eq!(super::read_generalized("20210112115327.5Z"), Some(1_610_452_407));
        assert_eq!(super::read_generalized("202101121153Z"), None);
    }
}
