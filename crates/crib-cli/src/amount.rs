//! Amounts as people read them in a column: three figures at most, and their unit.

/// Returns `0.8ms`, `48ms`, `1.2s`, `3m`.
pub(crate) fn millis(ms: f64) -> String {
    match ms {
        ms if ms < 9.95 => format!("{ms:.1}ms"),
        ms if ms < 999.5 => format!("{ms:.0}ms"),
        ms if ms < 9950.0 => format!("{:.1}s", ms / 1000.0),
        ms if ms < 99_500.0 => format!("{:.0}s", ms / 1000.0),
        ms => format!("{:.0}m", ms / 60_000.0),
    }
}

/// Returns `640KB`, `74MB`, `1.2GB`.
pub(crate) fn bytes(bytes: u64) -> String {
    let kilobytes = u32::try_from(bytes / 1024).map_or_else(|_| f64::from(u32::MAX), f64::from);
    match kilobytes {
        kb if kb < 999.5 => format!("{kb:.0}KB"),
        kb if kb < 999.5 * 1024.0 => format!("{:.0}MB", kb / 1024.0),
        kb => format!("{:.1}GB", kb / (1024.0 * 1024.0)),
    }
}

/// Returns `12s`, `5m`, `2h`, `3d`.
pub(crate) fn ago(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_three_figures_and_a_unit() {
        assert_eq!(
            [0.04, 9.94, 9.96, 48.2, 999.6, 12_345.0, 200_000.0].map(millis),
            ["0.0ms", "9.9ms", "10ms", "48ms", "1.0s", "12s", "3m"]
        );
        assert_eq!([1024, 74 << 20, 1 << 40].map(bytes), ["1KB", "74MB", "1024.0GB"]);
        assert_eq!([0, 59, 60, 7200, 200_000].map(ago), ["0s", "59s", "1m", "2h", "2d"]);
    }
}
