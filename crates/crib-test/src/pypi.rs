//! An index that speaks PyPI's protocol.

use std::io::Write as _;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;

use crate::{Site, hex};

const SIMPLE: &str = "application/vnd.pypi.simple.v1+json";

/// A package for every system.
#[derive(Clone, Copy, Debug)]
pub struct Wheel<'a> {
    /// With `_`, as modules are called.
    pub name: &'a str,
    pub version: &'a str,
    pub requires: &'a [&'a str],
    /// The text of its module; `main` is its program.
    pub module: &'a str,
}

impl Wheel<'_> {
    #[must_use]
    pub fn file(&self) -> String {
        format!("{}-{}-py3-none-any.whl", self.name, self.version)
    }

    /// Packs it. It says that it is `io.github.a/NAME`.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let Self { name, version, requires, module } = self;
        let info = format!("{name}-{version}.dist-info");
        let requires: String = requires.iter().map(|one| format!("Requires-Dist: {one}\n")).collect();
        let files = [
            (format!("{name}/__init__.py"), (*module).to_owned()),
            (
                format!("{info}/METADATA"),
                format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}\n<!-- mcp-name: io.github.a/{name} -->\n"),
            ),
            (format!("{info}/WHEEL"), "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n".to_owned()),
            (format!("{info}/entry_points.txt"), format!("[console_scripts]\n{} = {name}:main\n", name.replace('_', "-"))),
        ];
        let paths = files.iter().map(|(path, _)| path.clone()).chain([format!("{info}/RECORD")]);
        let record: String = paths.map(|path| format!("{path},,\n")).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        archive(&[&files[..], &[(&format!("{info}/RECORD"), &record)]].concat())
    }
}

/// Returns a wheel of version 1.0 whose program runs a body of Python.
#[must_use]
pub fn wheel(name: &str, body: &str) -> Vec<u8> {
    let module = format!("def main():\n    {}\n", body.replace('\n', "\n    "));
    Wheel { name, version: "1.0", requires: &[], module: &module }.bytes()
}

/// Publishes several versions of a package.
pub fn publish_all(site: &Site, name: &str, wheels: &[Wheel<'_>]) {
    let entry = |wheel: &Wheel<'_>| {
        let (file, bytes) = (wheel.file(), wheel.bytes());
        let path = format!("/files/{file}");
        let entry = json!({
            "filename": file, "url": format!("{}{path}", site.base), "hashes": { "sha256": hex(&Sha256::digest(&bytes)) }, "size": bytes.len(),
            "requires-python": ">=3.8", "core-metadata": false
        });
        site.serve(&path, "application/octet-stream", bytes);
        entry
    };
    let files: Vec<Value> = wheels.iter().map(entry).collect();
    let versions: Vec<&str> = wheels.iter().map(|wheel| wheel.version).collect();
    let page = json!({ "meta": { "api-version": "1.1" }, "name": name, "versions": versions, "files": files });
    site.serve(&format!("/simple/{name}/"), SIMPLE, page.to_string());
}

/// Returns an archive of files.
#[must_use]
pub fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, text) in files {
        archive.start_file(*path, SimpleFileOptions::default()).expect("a file");
        archive.write_all(text.as_bytes()).expect("a file");
    }
    archive.finish().expect("an archive").into_inner()
}

/// Publishes a file whose digest is that of `promised`, and what is attested of it.
pub fn publish(site: &Site, (name, file): (&str, &str), bytes: Vec<u8>, promised: &[u8], attestations: &[Value]) {
    let path = format!("/files/{file}");
    let page = json!({
        "meta": { "api-version": "1.1" }, "name": name,
        "versions": ["1.0"],
        "files": [{
            "filename": file, "url": format!("{}{path}", site.base), "hashes": { "sha256": hex(&Sha256::digest(promised)) }, "size": bytes.len(),
            "provenance": format!("{}/provenance/{file}", site.base), "requires-python": ">=3.8", "core-metadata": false
        }]
    });
    let publisher = json!({ "kind": "GitHub", "repository": "owner/repository" });
    let statement = json!({ "version": 1, "attestation_bundles": [{ "publisher": publisher, "attestations": attestations }] });
    site.serve(&format!("/provenance/{file}"), "application/vnd.pypi.integrity.v1+json", statement.to_string());
    site.serve(&format!("/simple/{name}/"), SIMPLE, page.to_string());
    site.serve(&path, "application/octet-stream", bytes);
}
