//! The HTTP headers that mirror a request's body (2026-07-28 "Request Metadata", SEP-2243).

/// Which arguments of a tool are mirrored into which `Mcp-Param-*` header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParamHeaders {
    pub entries: Vec<ParamHeader>,
}

/// One argument that is mirrored: the path of property names to it and the name behind `Mcp-Param-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamHeader {
    pub path: Vec<String>,
    pub name: String,
}
