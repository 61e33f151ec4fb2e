//! Manifests and indices: which blobs an image is made of, and for which machine.

use crib_model::{Code, Fault};
use serde::Deserialize;

use crate::Digest;

/// Layers of one image; the file systems of other engines take no more.
const LAYERS_MAX: usize = 127;
/// Entries of an index.
const ENTRIES_MAX: usize = 1000;

const INDICES: &[&str] = &["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];
const MANIFESTS: &[&str] = &["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];
const CONFIGS: &[&str] = &["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
const LAYERS: &[&str] = &[
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
];
/// What a registry is asked for.
pub(crate) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// Bytes in a registry, with what they must be.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    #[serde(default)]
    platform: Option<Described>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Described {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: String,
}

/// A kind of machine, as images name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    pub os: String,
    pub architecture: String,
    pub variant: String,
}

/// What a registry has under a tag or digest.
#[derive(Debug)]
pub(crate) enum Document {
    Index(Vec<Descriptor>),
    Manifest(Manifest),
}

/// One image for one kind of machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    #[serde(default)]
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    manifests: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
}

impl Platform {
    /// Returns that of this machine. Images are of Linux, whatever runs here.
    #[must_use]
    pub fn here() -> Self {
        let (architecture, variant) = match std::env::consts::ARCH {
            "x86_64" => ("amd64", ""),
            "x86" => ("386", ""),
            "aarch64" => ("arm64", "v8"),
            "arm" => ("arm", "v7"),
            "powerpc64" => ("ppc64le", ""),
            "loongarch64" => ("loong64", ""),
            other => (other, ""),
        };
        Self { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: variant.to_owned() }
    }

    /// Tells whether an image is for this platform; how well, where several are: the same variant is better than none.
    fn takes(&self, described: &Described) -> Option<u8> {
        if described.os != self.os || described.architecture != self.architecture {
            return None;
        }
        match described.variant.as_str() {
            variant if variant == self.variant => Some(2),
            "" | "v1" => Some(1),
            // A newer processor runs what was made for an older one.
            variant if self.architecture == "arm" && *variant < *self.variant => Some(1),
            _ => None,
        }
    }

    pub(crate) fn is_other(&self, os: &str, architecture: &str) -> bool {
        os != self.os || architecture != self.architecture
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)
    }
}

impl Document {
    /// Reads a document; `kind` is what the registry calls it.
    pub(crate) fn read(bytes: &[u8], kind: &str) -> Result<Self, Fault> {
        let raw: Raw = serde_json::from_slice(bytes).map_err(broken)?;
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let said = if raw.media_type.is_empty() { kind } else { raw.media_type.as_str() };
        if raw.schema_version != 2 {
            return Err(broken("it is written in a form that nobody should use any more (schema 1)"));
        }
        match (raw.manifests, raw.config, raw.layers) {
            (Some(entries), None, None) if INDICES.contains(&said) => {
                if entries.len() > ENTRIES_MAX {
                    return Err(broken(format!("its index has {} entries; {ENTRIES_MAX} is the most", entries.len())));
                }
                Ok(Self::Index(entries))
            }
            (None, Some(config), Some(layers)) if MANIFESTS.contains(&said) => Manifest::new(config, layers).map(Self::Manifest),
            // What can be read as both would be one thing here and another elsewhere.
            _ => Err(broken(format!("it is neither an image nor an index of images, but `{}`", shown(said)))),
        }
    }
}

impl Manifest {
    fn new(config: Descriptor, layers: Vec<Descriptor>) -> Result<Self, Fault> {
        if !CONFIGS.contains(&config.media_type.as_str()) {
            let what = shown(&config.media_type);
            return Err(Fault::new(Code::SourceInvalid, "this is not an image that can be run").because(format!("it is `{what}`")));
        }
        if layers.len() > LAYERS_MAX {
            return Err(broken(format!("it has {} layers; {LAYERS_MAX} is the most", layers.len())));
        }
        if let Some(layer) = layers.iter().find(|layer| !LAYERS.contains(&layer.media_type.as_str())) {
            return Err(broken(format!("it has a layer of the kind `{}`", shown(&layer.media_type))));
        }
        Ok(Self { config, layers })
    }
}

/// Returns the image for a platform.
pub(crate) fn choose<'a>(entries: &'a [Descriptor], platform: &Platform) -> Result<&'a Descriptor, Fault> {
    let fit = |entry: &Descriptor| entry.platform.as_ref().and_then(|described| platform.takes(described));
    // The first of those that fit equally well, as other tools choose.
    let best = entries.iter().rev().filter(|entry| fit(entry).is_some()).max_by_key(|entry| fit(entry));
    best.ok_or_else(|| {
        let mut names: Vec<String> = entries
            .iter()
            .filter_map(|entry| entry.platform.as_ref())
            // Attestations stand in an index as images for nobody.
            .filter(|described| described.os != "unknown")
            .map(|described| shown(&format!("{}/{}", described.os, described.architecture)))
            .collect();
        names.dedup();
        names.truncate(20);
        Fault::new(Code::PackageMissing, format!("there is no image for {platform}"))
            .because(format!("it is there for {}", names.join(", ")))
    })
}

pub(crate) fn broken(why: impl std::fmt::Display) -> Fault {
    Fault::new(Code::PackageUnverified, "what the registry sent is not an image").because(why)
}

/// Shortens what somebody else wrote.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(100).collect::<String>().escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn descriptor(kind: &str, digit: &str) -> serde_json::Value {
        json!({ "mediaType": kind, "digest": format!("sha256:{}", digit.repeat(64)), "size": 1 })
    }

    #[test]
    fn what_can_be_read_as_two_things_is_neither() {
        let both = json!({ "schemaVersion": 2, "mediaType": MANIFESTS[0], "config": descriptor(CONFIGS[0], "a"),
            "layers": [], "manifests": [] });
        assert_eq!(Document::read(both.to_string().as_bytes(), MANIFESTS[0]).unwrap_err().code(), Code::PackageUnverified);
        let other = json!({ "schemaVersion": 2, "mediaType": MANIFESTS[0], "manifests": [] });
        assert!(Document::read(other.to_string().as_bytes(), INDICES[0]).is_err());
        let plain = json!({ "schemaVersion": 2, "manifests": [] });
        assert!(Document::read(plain.to_string().as_bytes(), INDICES[0]).is_ok());
    }

    #[test]
    fn what_is_no_image_is_said() {
        let chart = json!({ "schemaVersion": 2, "mediaType": MANIFESTS[0],
            "config": descriptor("application/vnd.cncf.helm.config.v1+json", "a"), "layers": [] });
        assert_eq!(Document::read(chart.to_string().as_bytes(), "").unwrap_err().code(), Code::SourceInvalid);
        let old = json!({ "schemaVersion": 1, "fsLayers": [] });
        assert!(Document::read(old.to_string().as_bytes(), "").unwrap_err().to_string().contains("schema 1"));
    }

    #[test]
    fn the_image_of_this_machine_is_chosen() {
        let entry = |digit: &str, architecture: &str, variant: &str| {
            let mut one = descriptor(MANIFESTS[0], digit);
            one["platform"] = json!({ "os": "linux", "architecture": architecture, "variant": variant });
            serde_json::from_value::<Descriptor>(one).unwrap()
        };
        let entries = [entry("a", "arm64", ""), entry("b", "amd64", ""), entry("c", "amd64", ""), entry("d", "arm64", "v8")];
        let platform =
            |architecture: &str, variant: &str| Platform { os: "linux".into(), architecture: architecture.into(), variant: variant.into() };
        assert_eq!(choose(&entries, &platform("amd64", "")).unwrap().digest, entries[1].digest);
        assert_eq!(choose(&entries, &platform("arm64", "v8")).unwrap().digest, entries[3].digest);
        let fault = choose(&entries, &platform("s390x", "")).unwrap_err();
        assert!(fault.to_string().contains("linux/amd64"), "{fault}");
    }
}
