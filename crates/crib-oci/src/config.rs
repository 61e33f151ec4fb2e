//! What an image says of itself: what it starts, with which variables, where, and as whom.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crib_model::Fault;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::Digest;
use crate::manifest::{Platform, broken};

/// The number that stands for no user.
const NOBODY_AT_ALL: u32 = u32::MAX;

/// How an image wants to be started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// What is always started.
    pub entrypoint: Vec<String>,
    /// Its arguments where none are given; the command itself where there is no entrypoint.
    pub command: Vec<String>,
    pub env: Vec<(String, String)>,
    pub folder: Option<PathBuf>,
    /// `NAME`, `NUMBER` or either with `:GROUP`.
    pub user: Option<String>,
    pub labels: BTreeMap<String, String>,
    /// Folders that it wants to write to.
    pub volumes: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    config: Option<RawConfig>,
    rootfs: Option<RawRoot>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RawConfig {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    working_dir: Option<String>,
    user: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    volumes: Option<BTreeMap<String, IgnoredAny>>,
}

#[derive(Deserialize)]
struct RawRoot {
    #[serde(default)]
    diff_ids: Vec<Digest>,
}

impl Config {
    /// Reads a configuration, and the digests that the layers have unpacked.
    pub(crate) fn read(bytes: &[u8], platform: &Platform) -> Result<(Self, Vec<Digest>), Fault> {
        let raw: Raw = serde_json::from_slice(bytes).map_err(broken)?;
        if platform.is_other(&raw.os, &raw.architecture) {
            let what = crate::manifest::shown(&format!("{}/{}", raw.os, raw.architecture));
            return Err(Fault::new(crib_model::Code::PackageMissing, format!("there is no image for {platform}"))
                .because(format!("it is there for {what}")));
        }
        let config = raw.config.unwrap_or_default();
        let pair = |text: String| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        let this = Self {
            entrypoint: config.entrypoint.unwrap_or_default(),
            command: config.cmd.unwrap_or_default(),
            env: config.env.unwrap_or_default().into_iter().filter_map(pair).filter(|(name, _)| !name.is_empty()).collect(),
            folder: some(config.working_dir).map(PathBuf::from),
            user: some(config.user),
            labels: config.labels.unwrap_or_default(),
            volumes: config.volumes.unwrap_or_default().into_keys().map(PathBuf::from).filter(|path| path.is_absolute()).collect(),
        };
        Ok((this, raw.rootfs.map(|root| root.diff_ids).unwrap_or_default()))
    }

    /// Returns the number of its user, by the image's own list of accounts; none for root, or who is not in it.
    pub(crate) fn user_number(&self, accounts: &[u8]) -> Option<u32> {
        let user = self.user.as_deref()?.split(':').next()?;
        let of_name = || {
            let accounts = String::from_utf8_lossy(accounts);
            let line = accounts.lines().find(|line| line.split(':').next() == Some(user))?;
            line.split(':').nth(2)?.parse().ok()
        };
        user.parse().ok().or_else(of_name).filter(|number| (1..NOBODY_AT_ALL).contains(number))
    }
}
