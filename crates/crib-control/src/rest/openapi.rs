//! `/openapi.json`: this interface, for programs.

use bytes::Bytes;
use crib_mcp::Chunks;
use http::{Response, StatusCode};

use super::answer::with_type;

/// The document. It describes the interface and not the tools, which differ by caller.
const DOCUMENT: &str = include_str!("openapi.json");

pub(super) fn document() -> Response<Chunks> {
    with_type(StatusCode::OK, "application/json", Bytes::from_static(DOCUMENT.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::DOCUMENT;

    #[test]
    fn the_document_is_json_and_its_references_lead_somewhere() {
        let document: serde_json::Value = serde_json::from_str(DOCUMENT).unwrap();
        let mut found = 0;
        for reference in DOCUMENT.split("\"$ref\": \"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
            found += 1;
        }
        assert!(found > 5);
    }
}
