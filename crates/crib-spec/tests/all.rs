//! End-to-end tests against the real binary; one test binary, one module per subject.

#![expect(clippy::indexing_slicing, reason = "reading a `serde_json::Value` by key answers null, and this is a test")]

mod all {
    mod aggregation;
    mod alone;
    mod answers;
    mod chaos;
    mod cluster;
    mod conformance;
    mod fronts;
    mod lifecycle;
    mod real;
    mod rest;
    mod sdk;
    mod socket;
    mod tasks;
    mod telemetry;
    mod traps;
}
