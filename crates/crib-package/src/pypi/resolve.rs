//! Exact versions and hashes, from what `uv` or `pip` found.

use crib_model::{Code, Fault};
use serde_json::Value;

/// One package with the hashes of its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pin {
    pub(super) name: String,
    pub(super) version: String,
    /// `sha256:...`.
    pub(super) hashes: Vec<String>,
}

impl Pin {
    pub(super) fn is(&self, name: &str) -> bool {
        normal(&self.name) == normal(name)
    }
}

/// PyPI takes `-`, `_`, `.` and letters of either case for the same.
pub(crate) fn normal(name: &str) -> String {
    name.to_lowercase().replace(['_', '.'], "-")
}

/// Reads a requirements file as `uv pip compile --generate-hashes` writes it.
pub(super) fn of_requirements(text: &str) -> Result<Vec<Pin>, Fault> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pins = lines.map(|line| {
        let mut words = line.split_whitespace();
        let (name, version) = words.next()?.split_once("==")?;
        let hashes: Vec<String> = words.filter_map(|word| word.strip_prefix("--hash=")).map(str::to_owned).collect();
        // A marker is for other machines and has been decided here.
        (!hashes.is_empty()).then(|| Pin { name: bare(name), version: version.trim_end_matches(';').to_owned(), hashes })
    });
    pins.collect::<Option<_>>().ok_or_else(|| odd("a line is not an exact version with hashes"))
}

/// Reads the report of `pip install --dry-run --report`.
pub(super) fn of_report(text: &str) -> Result<Vec<Pin>, Fault> {
    let report: Value = serde_json::from_str(text).map_err(|error| odd(&error.to_string()))?;
    let list = report.get("install").and_then(Value::as_array).ok_or_else(|| odd("it has no list"))?;
    let pins = list.iter().map(|entry| {
        let field = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let hash = field("/download_info/archive_info/hashes/sha256")?;
        Some(Pin { name: field("/metadata/name")?, version: field("/metadata/version")?, hashes: vec![format!("sha256:{hash}")] })
    });
    pins.collect::<Option<_>>().ok_or_else(|| odd("a package comes without a hash, from somewhere that is not an index"))
}

/// Writes a requirements file.
pub(super) fn requirements(pins: &[Pin]) -> String {
    let lines = pins.iter().map(|Pin { name, version, hashes }| {
        let hashes: Vec<String> = hashes.iter().map(|hash| format!(" --hash={hash}")).collect();
        format!("{name}=={version}{}\n", hashes.concat())
    });
    lines.collect()
}

fn bare(name: &str) -> String {
    name.split('[').next().unwrap_or(name).to_owned()
}

fn odd(why: &str) -> Fault {
    Fault::new(Code::PullFailed, "what was resolved cannot be read").because(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_read_as_they_are_written() {
        let text =
            "anyio==4.1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\nmcp==2.3.0 ; python_version < '4' \\\n    --hash=sha256:cc\n";
        let pins = of_requirements(text).expect("pins");
        assert_eq!(requirements(&pins), "anyio==4.1 --hash=sha256:aa --hash=sha256:bb\nmcp==2.3.0 --hash=sha256:cc\n");
        assert!(of_requirements("x @ git+https://h/r\n").is_err());
        assert!(of_requirements("x==1\n").is_err());
    }
}
