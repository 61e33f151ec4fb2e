//! Origin: whether it installs, who signed it, and how old it is.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{Part, Subject, steps};
use crate::target::{Origin, Signature};

const DAY_SECONDS: u64 = 24 * 3600;
/// A release of half a year ago is a fresh one, one of four years ago an abandoned one.
const AGES_DAYS: [f64; 4] = [180.0, 365.0, 730.0, 1460.0];

pub(super) fn measure(subject: &Subject<'_>) -> Part {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    part(&subject.target.origin, unix.as_secs())
}

fn part(origin: &Origin, now: u64) -> Part {
    let mut part = Part::new("Origin", 10.0);
    if origin.digest.is_none() {
        for (weight, what) in [(3.0, "installs"), (4.0, "signed"), (3.0, "released")] {
            part.unknown(weight, what, "it comes from no package");
        }
        return part;
    }
    let count = origin.packages.max(1);
    let found = if count == 1 { "1 package, kept by its digest".to_owned() } else { format!("{count} packages, kept by their digest") };
    part.earned(3.0, 1.0, "installs", found);
    match &origin.signature {
        Signature::Verified(by) => part.earned(4.0, 1.0, "signed", format!("signed by {by}")),
        Signature::Unchecked(why) => part.earned(4.0, 0.25, "signed", format!("not checked: {why}")),
        Signature::Absent => part.earned(4.0, 0.0, "signed", "by nobody"),
    }
    match origin.released_unix {
        Some(at) => {
            let days = now.saturating_sub(at) / DAY_SECONDS;
            let share = steps(u32::try_from(days).map_or(f64::MAX, f64::from), AGES_DAYS);
            part.earned(3.0, share, "released", format!("{days} days ago"));
        }
        None => part.unknown(3.0, "released", "its registry does not say when"),
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(origin: &Origin) -> Option<f64> {
        let mut part = part(origin, 1_000 * DAY_SECONDS);
        part.count();
        part.points
    }

    #[test]
    fn a_signed_and_fresh_package_has_every_point_and_an_old_one_of_nobody_few() {
        let fresh = Origin {
            digest: Some("blake3:00".to_owned()),
            signature: Signature::Verified("GitHub".to_owned()),
            released_unix: Some(990 * DAY_SECONDS),
            packages: 3,
            ..Origin::default()
        };
        assert_eq!(points(&fresh), Some(10.0));
        let old = Origin { signature: Signature::Absent, released_unix: Some(0), ..fresh.clone() };
        assert_eq!(points(&old), Some(3.8));
        let silent = Origin { signature: Signature::Unchecked("no trusted root".to_owned()), released_unix: None, ..fresh };
        assert_eq!(points(&silent), Some(5.7));
        assert_eq!(points(&Origin::default()), None);
    }
}
