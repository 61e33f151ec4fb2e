//! JSON numbers as exact decimals: `42`, `42.0` and `4.2e1` are one value, however long they are.

/// Longest plain form that is written out; a larger number keeps its own text.
const PLAIN_DIGITS_MAX: usize = 64;

/// A decimal without leading and trailing zeros: the digits, times ten to the power of `exponent`.
#[derive(PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (is_negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if whole.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        let significant = digits.trim_start_matches('0');
        let kept = significant.trim_end_matches('0');
        if kept.is_empty() {
            return Some(Self { is_negative: false, digits: String::new(), exponent: 0 });
        }
        let dropped = i64::try_from(significant.len() - kept.len()).ok()?;
        Some(Self { is_negative, digits: kept.to_owned(), exponent: exponent.checked_add(dropped)? })
    }

    fn to_plain_integer(&self) -> Option<String> {
        if self.digits.is_empty() {
            return Some("0".to_owned());
        }
        let zeros = usize::try_from(self.exponent).ok()?;
        if self.digits.len().saturating_add(zeros) > PLAIN_DIGITS_MAX {
            return None;
        }
        let sign = if self.is_negative { "-" } else { "" };
        Some(format!("{sign}{}{}", self.digits, "0".repeat(zeros)))
    }
}

/// Returns the decimal string of an integer, whatever JSON form it was written in; other numbers as they are.
pub(super) fn plain(text: &str) -> String {
    Decimal::parse(text).and_then(|decimal| decimal.to_plain_integer()).unwrap_or_else(|| text.to_owned())
}

/// Tells whether two texts are the same number.
pub(super) fn equal(a: &str, b: &str) -> bool {
    matches!((Decimal::parse(a), Decimal::parse(b)), (Some(a), Some(b)) if a == b)
}
