//! End-to-end tests against the real binary; one test binary, one module per subject.

mod all {
    mod conformance;
    mod traps;
}
